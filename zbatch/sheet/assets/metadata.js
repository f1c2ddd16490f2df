// Everything that is known about one cell, as the lightbox's side panel.

function metadataPanel(data, cell) {
  const job = data.job(cell);
  return make("div", { class: "metadata" },
    stateBlock(data, cell),
    coordinateBlock(data, cell),
    job === ABSENT ? null : promptBlock(data, cell),
    job === ABSENT ? null : fileBlock(data, cell, job),
    job === ABSENT ? null : jobBlock(data, cell, job),
    job === ABSENT ? null : requestBlock(data, cell));
}

function block(title, ...content) {
  return make("section", { class: "block" }, make("h3", { text: title }), ...content);
}

/** A list of names and values; what is empty is left out. */
function table(pairs) {
  return make("dl", {}, ...pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").flatMap(([name, value]) => [
    make("dt", { text: name }),
    value instanceof Node ? make("dd", {}, value) : make("dd", { dir: "auto", text: String(value) }),
  ]));
}

function code(text) {
  return make("code", { class: "line", title: text, text });
}

function stateBlock(data, cell) {
  const state = data.state(cell);
  const warnings = data.warnings(cell);
  const flagged = data.flagged(cell);
  if (state === "done" && !warnings.length && !flagged) return null;
  const reason = data.reason(cell);
  return make("section", { class: "block notice", "data-state": state },
    make("p", { class: "verdict" }, icon(state === "done" ? "info" : state), make("b", { text: state === "done" ? (flagged ? "flagged as NSFW" : "kept, with a warning") : data.words(cell) })),
    reason ? make("p", { dir: "auto", text: state === "excluded" ? `by the rule ${reason}` : reason }) : null,
    ...warnings.map((warning) => make("p", { dir: "auto", text: warning })),
    flagged ? make("p", { text: "The server's own verdict; the image is kept." }) : null,
    ...(data.sides ? [] : redoWays(data, cell)).map(redoBlock));
}

function redoBlock({ words, cost, command }) {
  return make("div", { class: "redo" }, make("p", {}, make("b", { text: words }), make("span", { text: ` · ${cost}` })),
    make("div", { class: "command" }, code(command), button({ label: `Copy command: ${words.toLowerCase()}`, glyph: "copy", act: () => copyText(command, "command", `(${cost})`), kind: "square quiet" })));
}

function coordinateBlock(data, cell) {
  const twins = data.twins(cell);
  return block("Coordinates", table(data.coordinates(cell).map(([axis, value]) => [axis.name, axis.label(value)])),
    twins.length > 1 ? make("p", { class: "shared", text: `One image, shown in ${count(twins.length)} cells: their requests are equal.` }) : null);
}

function promptBlock(data, cell) {
  const prompt = data.prompt(cell);
  return block("Prompt", make("p", { class: "prompt", dir: "auto", text: prompt }));
}

function elsewhere(images) {
  if (images) return `This page asks no network and shows thumbnails; the picture itself lies in the object store, as does a page that shows it: ${images}/index.html.`;
  return "This page is one file that holds thumbnails; the picture itself lies in the run's directory.";
}

function fileBlock(data, cell, job) {
  const { jobs } = data;
  if (data.state(cell) !== "done") return null;
  const [width, height] = data.pixels(cell);
  const { images } = data.aboutOf(cell);
  const small = data.small || Boolean(images);
  const file = small
    ? make("span", { class: "path", text: images ? `${images}/${jobs.file[job]}` : jobs.file[job] })
    : make("a", { class: "path", href: data.picture(cell), target: "_blank", rel: "noopener", text: jobs.file[job] });
  return block("File", table([
    ["path", file],
    ["size", `${width} × ${height}`],
    ["change", data.change(cell) === null ? null : `${data.change(cell).toFixed(2)} ${data.from}`],
    ["bytes", `${bytesText(jobs.bytes[job])} ${data.text(jobs.media_type[job]).replace("image/", "")}`],
    ["sha256", code(jobs.sha256[job])],
  ]), small ? make("p", { class: "shared", text: elsewhere(images) }) : null);
}

function jobBlock(data, cell, job) {
  const { jobs } = data;
  const [submitted, done] = [jobs.submitted_at[job], jobs.done_at[job]];
  const verdict = jobs.nsfw[job] === ABSENT ? null : JSON.stringify(data.raw.verdicts[jobs.nsfw[job]]);
  return block("Job", table([
    ["key", code(jobs.key[job])],
    ["attempts", count(jobs.attempts[job])],
    [jobs.task_ids[job].length > 1 ? "tasks" : "task", jobs.task_ids[job].join("\n")],
    ["taken over from", jobs.reused[job] === ABSENT ? null : data.text(jobs.reused[job])],
    ["submitted", submitted === null ? null : timeText(submitted)],
    ["done", done === null ? null : timeText(done)],
    ["took", done === null || submitted === null ? null : durationText(done - submitted)],
    ["nsfw", verdict],
  ]));
}

function requestBlock(data, cell) {
  const text = JSON.stringify(data.request(cell), null, 2);
  return block("Request", make("pre", { dir: "auto", tabindex: 0, text }));
}
