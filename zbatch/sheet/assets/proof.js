// A picture that is looked at, or those that are compared, on one sheet of paper, with all that tells where it is from.

const PROMPT = 2400; // letters; a longer prompt would not leave the picture on the page

function proof(data, box) {
  const { cell, compare, missing } = box;
  const compared = compare.on && compare.resolved.length > 0;
  const shown = compared ? compare.all : [{ words: "", cell }];
  const telling = tellingWords(data, shown.map((one) => one.cell), 60);
  const prompt = bounded(data.prompt(cell), compared ? 1200 : PROMPT);
  const root = make("article", { class: "proof" },
    make("div", { class: "proofs" }, ...shown.map((one) => proofOf(data, missing, one, telling))),
    compared ? printedDifference(data, shown) : null,
    compared ? null : proofCoordinates(data, cell),
    data.job(cell) === ABSENT ? null : make("section", {},
      make("h3", { text: compared ? "Prompt of this one" : "Prompt" }), make("p", { class: "prompt", dir: "auto", text: prompt })),
    data.job(cell) === ABSENT ? null : proofFile(data, cell));
  root.style.setProperty("--across", shown.length);
  // What stands below takes some 5 mm a line, of a hundred letters.
  const lines = prompt.length / 100 + data.axes.length + (compared ? 18 : 4);
  root.style.setProperty("--high", Math.max(60, Math.min(145, 230 - 5 * lines)));
  return root;
}

function proofOf(data, missing, { words, cell }, telling) {
  const name = words ? make("figcaption", { dir: "auto" }, make("b", { text: words }), " ", telling(cell)) : null;
  if (!missing.has(cell)) return make("figure", {}, make("img", { alt: data.describe(cell), src: data.picture(cell) }), name);
  const { words: state, reason } = missing.of(cell);
  return make("figure", {}, make("div", { class: "none" }, make("b", { text: state }), make("p", { class: "why", dir: "auto", text: middle(reason, 300) })), name);
}

function proofCoordinates(data, cell) {
  const pairs = data.coordinates(cell);
  if (!pairs.length) return null;
  return make("section", {}, make("h3", { text: "Coordinates" }),
    make("dl", {}, ...pairs.flatMap(([axis, value]) => [make("dt", { text: axis.name }), make("dd", { dir: "auto", text: axis.brief(value, 240) })])));
}

function printedDifference(data, shown) {
  const panel = differencePanel(data, shown);
  for (const details of panel.querySelectorAll("details")) details.open = true;
  return panel;
}

/** Where the picture lies, so that a sheet of paper leads back to it. */
function proofFile(data, cell) {
  const job = data.job(cell);
  const done = data.state(cell) === "done";
  const words = [done ? data.jobs.file[job] : "", done ? data.pixels(cell).slice(0, 2).join(" × ") : "", `job ${data.jobs.key[job].slice(0, 16)}`];
  return make("p", { class: "file", text: words.filter(Boolean).join(" · ") });
}

const bounded = (text, most) => (text.length <= most ? text : `${middle(text, most)} (${count(text.length)} characters, whole in the page)`);
