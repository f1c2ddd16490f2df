// What differs between the pictures that are compared, in words: coordinates, request fields, the words of prompts.

const MOST_WORDS = 3000; // longer prompts are compared from both ends only
const ONE_COLUMN = 12; // letters that a column of three or four holds
const AROUND = 40; // letters of what is the same that stand before and after a change

/** `others` are `{ words, cell }`, the last of them the picture itself. */
function differencePanel(data, others) {
  const rows = [...coordinateRows(data, others), ...requestRows(data, others)];
  const differing = rows.filter(({ values }) => new Set(values).size > 1);
  const same = rows.filter(({ values }) => new Set(values).size === 1);
  return make("section", { class: "block difference", "aria-label": "What differs" },
    make("h3", { text: others.length > 2 ? `What differs between the ${others.length}` : "What differs" }),
    differing.length ? differingRows(others, differing) : make("p", { class: "alike", text: sameWords(data, others) }),
    ...promptDifferences(data, others),
    same.length ? make("details", { class: "same" }, make("summary", { text: `${plural(same.length, "thing")} the same` }),
      make("dl", {}, ...same.flatMap(({ name, values }) => [make("dt", { text: name }), make("dd", { dir: "auto", text: middle(values[0], 400) })]))) : null);
}

function sameWords(data, others) {
  if (new Set(others.map(({ cell }) => cell)).size === 1) return "Nothing yet: this is the reference itself. Walk with the arrows or drag the strip.";
  const alike = new Set(others.map(({ cell }) => data.jobs.key[data.job(cell)])).size === 1;
  if (!alike) return "Nothing but the words of the prompt.";
  return data.sides ? "Nothing in their requests: they are equal." : "Only where they stand: it is one image, their requests are equal.";
}

function coordinateRows(data, others) {
  return data.axes.map((axis) => ({ name: others.length > 2 ? axis.short : axis.name, values: others.map(({ cell }) => axis.label(axis.column[cell])) }))
    .filter(({ values }) => values.some((value) => value !== "—"));
}

/** Fields of the request that no coordinate says already; the prompt has a place of its own. */
function requestRows(data, others) {
  const requests = others.map(({ cell }) => (data.job(cell) === ABSENT ? {} : data.request(cell)));
  return REQUEST_ORDER.filter((name) => name !== "prompt" && requests.some((request) => name in request))
    .map((name) => ({ name, values: requests.map((request) => fieldText(request[name])) }))
    .filter(({ name, values }) => !data.byName.has(name) || (data.sides && new Set(values).size > 1));
}

function fieldText(value) {
  if (value === undefined) return "—";
  if (Array.isArray(value)) return value.map(({ path, scale }) => `${path} @ ${scale}`).join("\n");
  return value?.file ?? String(value);
}

/** Two beside each other in columns; of more, only what is short: long values take a line each. */
function differingRows(others, rows) {
  const long = ({ values }) => others.length > 2 && values.some((value) => value.length > ONE_COLUMN);
  const [short, lines] = [rows.filter((row) => !long(row)), rows.filter(long)];
  return make("div", {}, short.length ? rowTable(others, short) : null, ...lines.map((row) => lineTable(others, row)));
}

function rowTable(others, rows) {
  return make("table", {},
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, make("span", { class: "offscreen", text: "what" })), ...others.map(({ words }) => make("th", { scope: "col", text: words })))),
    make("tbody", {}, ...rows.map(({ name, values }) => make("tr", {}, make("th", { scope: "row", text: name }),
      ...differently(values, 160).map((text, index) => make("td", { dir: "auto", title: hint(values[index]) }, ...breakable(text)))))));
}

function lineTable(others, { name, values }) {
  return make("table", { class: "lines", "aria-label": name }, make("caption", { text: name }),
    make("tbody", {}, ...differently(values, 90).map((text, index) => make("tr", {},
      make("th", { scope: "row", text: others[index].words }), make("td", { dir: "auto", title: hint(values[index]) }, ...breakable(text))))));
}

/** Values that stand beside each other, shortened so that what differs shows. */
function differently(values, room) {
  const apart = [...new Set(values)];
  const siblings = new Siblings(apart);
  return values.map((value) => siblings.brief(apart.indexOf(value), room));
}

/** The prompt against each other one: what only the reference says is struck, what only this one says is underlined. */
function promptDifferences(data, others) {
  const now = data.prompt(others.at(-1).cell);
  return others.slice(0, -1).filter(({ cell }) => data.prompt(cell) !== now && now && data.prompt(cell)).map(({ words, cell }) =>
    make("div", { class: "promptdiff" }, make("h4", { text: others.length > 2 ? `Prompt, from ${words} to this` : "Prompt, from the reference to this" }),
      make("p", { dir: "auto" }, ...nearChanges(wordDifference(data.prompt(cell), now), others.length > 2 ? AROUND : 4 * AROUND).map(({ kind, text }) =>
        (kind === "same" ? text : make(kind === "gone" ? "del" : "ins", { text }))))));
}

/** Of what is the same only what stands near a change: a long beginning in common would hide the change. */
function nearChanges(runs, around) {
  return runs.map((run, index) => {
    const { kind, text } = run;
    const [first, last] = [index === 0, index === runs.length - 1];
    if (kind !== "same" || text.length <= (first || last ? 1.5 : 2.5) * around) return run;
    const head = first ? "" : text.slice(0, around).replace(/\S*$/u, "");
    const tail = last ? "" : text.slice(-around).replace(/^\S*/u, "");
    return { kind, text: `${head}…${tail}` };
  });
}

/** Runs of words that are the same, gone or new, in order. */
function wordDifference(before, after) {
  const [one, other] = [before, after].map((text) => text.match(/\s+|[^\s,.;:!?()]+|[,.;:!?()]/gu) ?? []);
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < one.length - start && end < other.length - start && one.at(-1 - end) === other.at(-1 - end)) end += 1;
  const runs = [];
  const add = (kind, text) => {
    if (!text) return;
    if (runs.at(-1)?.kind === kind) runs.at(-1).text += text;
    else runs.push({ kind, text });
  };
  add("same", one.slice(0, start).join(""));
  for (const [kind, text] of changedWords(one.slice(start, one.length - end), other.slice(start, other.length - end))) add(kind, text);
  add("same", one.slice(one.length - end).join(""));
  return runs;
}

/** The longest common subsequence of two lists of words, written as what goes, comes and stays. */
function changedWords(one, other) {
  if (one.length > MOST_WORDS || other.length > MOST_WORDS) return [["gone", one.join("")], ["new", other.join("")]];
  const wide = other.length + 1;
  const longest = new Uint16Array((one.length + 1) * wide);
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = other.length - 1; j >= 0; j -= 1) {
      longest[i * wide + j] = one[i] === other[j] ? longest[(i + 1) * wide + j + 1] + 1 : Math.max(longest[(i + 1) * wide + j], longest[i * wide + j + 1]);
    }
  }
  const steps = [];
  let [i, j] = [0, 0];
  while (i < one.length || j < other.length) {
    // A blank alone between two changed words is no agreement worth breaking a run for.
    if (i < one.length && j < other.length && one[i] === other[j]) {
      steps.push(["same", one[i]]);
      i += 1;
      j += 1;
    } else if (j >= other.length || (i < one.length && longest[(i + 1) * wide + j] >= longest[i * wide + j + 1])) {
      steps.push(["gone", one[i]]);
      i += 1;
    } else {
      steps.push(["new", other[j]]);
      j += 1;
    }
  }
  return gathered(steps);
}

/** Blanks between changed words join their runs: `misty autumn` became `snowy winter`, not word by word. */
function gathered(steps) {
  const runs = [];
  let gone = "";
  let fresh = "";
  const flush = () => {
    runs.push(["gone", gone], ["new", fresh]);
    gone = fresh = "";
  };
  steps.forEach(([kind, text], index) => {
    if (kind === "gone") gone += text;
    else if (kind === "new") fresh += text;
    else if (!text.trim() && (gone || fresh) && steps[index + 1] && steps[index + 1][0] !== "same") {
      gone += text;
      fresh += text;
    } else {
      flush();
      runs.push(["same", text]);
    }
  });
  flush();
  return runs.filter(([, text]) => text);
}
