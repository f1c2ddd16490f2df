// `picks.json` as a person hands it in: read once, here, with words for what is wrong (schemas/picks-v1.schema.json).

const PICKS_VERSION = 1;
const JOB_KEY = /^[0-9a-f]{64}$/;
const WHEN = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$/;
const WINNERS = ["a", "b", "tie"];

/** What a file says that is no picks file, in words for a person. */
class PicksError extends Error {}

/** What one person says: `jobs` by job key, `comparisons` in a list. */
const noPicks = (run) => ({ version: PICKS_VERSION, run, jobs: {}, comparisons: [] });

function parsePicks(text, name) {
  let document = null;
  try {
    document = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch {
    const cut = /^\s*(?:[{[]|$)/.test(text) && !/[}\]]\s*$/.test(text);
    throw new PicksError(cut ? `${name} is cut off: it ends in the middle` : `${name} is no JSON, so no picks file`);
  }
  if (!plainObject(document) || !("version" in document && "run" in document)) throw new PicksError(`${name} is JSON, but not a picks file`);
  if (Number.isInteger(document.version) && document.version > PICKS_VERSION) throw new PicksError(`${name} is of version ${document.version}; this page reads version ${PICKS_VERSION}: zbatch report of a newer zbatch writes one that does`);
  const wrong = (place, words) => { throw new PicksError(`${name}: ${place}: ${words}`); };
  checkPicks(document, wrong);
  for (const name of ["who", "source"]) document[name] = (document[name] ?? "").trim();
  return document;
}

/** A file that somebody hands in: besides, no name may stand twice in it, of which `JSON.parse` keeps the last in silence. */
function readPicks(text, name) {
  const picks = parsePicks(text, name);
  const twice = doubledName(text);
  if (twice !== null) throw new PicksError(`${name}: ${twice.place}“${middle(twice.name, 30)}” is there twice, and which of the two counts is not said`);
  return picks;
}

/** The text of a file, which is UTF-8 or none: a browser's own reading would put signs of its own for what is not. */
async function textOf(file) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer()); // `parsePicks` knows the mark
  } catch (error) {
    if (error instanceof TypeError) throw new PicksError(`${file.name} is no picks file: it is not text in UTF-8`);
    throw error;
  }
}

/** A name that stands twice in one object of a text that is JSON, and where that is; `null` where there is none. */
function doubledName(text) {
  const open = []; // objects and lists round a place: the names in each, and at which of them, or how far in it, one is
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === "{") open.push({ names: new Set(), step: "" });
    else if (sign === "[") open.push({ names: null, step: 0 });
    else if (sign === "}" || sign === "]") open.pop();
    else if (sign === "," && !open.at(-1).names) open.at(-1).step += 1;
    if (sign !== '"') continue;
    const from = at;
    for (at += 1; text[at] !== '"'; at += 1) if (text[at] === "\\") at += 1;
    COLON.lastIndex = at + 1;
    const inside = open.at(-1);
    if (!inside?.names || !COLON.test(text)) continue;
    inside.step = JSON.parse(text.slice(from, at + 1));
    if (inside.names.has(inside.step)) return { name: inside.step, place: open.length > 1 ? `${open.slice(0, -1).map(({ step }) => String(step).slice(0, 12)).join(".")}: ` : "" };
    inside.names.add(inside.step);
  }
  return null;
}

const COLON = /\s*:/y;
const plainObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function checkPicks(document, wrong) {
  const known = (place, value, names) => {
    if (!plainObject(value)) wrong(place, "an object is meant");
    for (const name of Object.keys(value)) if (!names.includes(name)) wrong(place, `nothing is called “${middle(name, 30)}” there`);
  };
  const text = (place, value, needed = false) => { if (needed ? typeof value !== "string" || value === "" : value !== undefined && typeof value !== "string") wrong(place, "a text is meant"); };
  const time = (place, value) => { if (value !== undefined && !(typeof value === "string" && WHEN.test(value) && exists(value))) wrong(place, `there is no such time: ${middle(String(value), 30)}`); };
  known("the file", document, ["$schema", "version", "run", "who", "source", "when", "jobs", "comparisons"]);
  if (document.version !== PICKS_VERSION) wrong("version", `${PICKS_VERSION} is meant`);
  known("run", document.run, ["identity", "name"]);
  if (typeof document.run.identity !== "string") wrong("run.identity", "a text is meant");
  for (const name of ["who", "source"]) text(name, document[name]);
  text("run.name", document.run.name);
  time("when", document.when);
  if (!plainObject(document.jobs)) wrong("jobs", "an object is meant");
  for (const [key, said] of Object.entries(document.jobs)) {
    const place = `jobs.${key.slice(0, 12)}`;
    if (!JOB_KEY.test(key)) wrong("jobs", `“${middle(key, 20)}” is no job key`);
    known(place, said, ["rating", "favourite", "reject", "when"]);
    if (said.rating !== undefined && !(Number.isInteger(said.rating) && said.rating >= 1 && said.rating <= 5)) wrong(`${place}.rating`, "a whole number from 1 to 5 is meant");
    for (const name of ["favourite", "reject"]) if (said[name] !== undefined && typeof said[name] !== "boolean") wrong(`${place}.${name}`, "true or false is meant");
    if (said.favourite && said.reject) wrong(place, "an image is a favourite or a reject, not both");
    time(`${place}.when`, said.when);
  }
  if (!Array.isArray(document.comparisons)) wrong("comparisons", "a list is meant");
  for (const [at, pair] of document.comparisons.entries()) {
    const place = `comparisons.${at}`;
    known(place, pair, ["a", "b", "winner", "axis", "when"]);
    for (const side of ["a", "b"]) if (typeof pair[side] !== "string" || !JOB_KEY.test(pair[side])) wrong(`${place}.${side}`, "a job key is meant");
    if (pair.a === pair.b) wrong(place, "an image is compared with itself");
    if (!WINNERS.includes(pair.winner)) wrong(`${place}.winner`, "a, b or tie is meant");
    text(`${place}.axis`, pair.axis, true);
    time(`${place}.when`, pair.when);
  }
}

/** `Date` takes the 30th of February for the 2nd of March. */
function exists(when) {
  const [, month, day] = when.split(/[-T]/).map(Number);
  const moment = new Date(`${when.slice(0, 10)}T00:00:00Z`);
  return !Number.isNaN(Date.parse(when)) && moment.getUTCMonth() + 1 === month && moment.getUTCDate() === day;
}

/** The file: the same picks are the same text, as zbatch writes it, too. */
function picksText({ run, who, source, when, jobs, comparisons }) {
  const ordered = Object.keys(jobs).sort().map((key) => {
    const { rating, favourite, reject, when: said } = jobs[key];
    return [key, { ...(rating ? { rating } : {}), ...(favourite ? { favourite } : {}), ...(reject ? { reject } : {}), ...(said ? { when: said } : {}) }];
  });
  const file = { version: PICKS_VERSION, run, ...(who ? { who } : {}), ...(source ? { source } : {}), ...(when ? { when } : {}), jobs: Object.fromEntries(ordered), comparisons };
  return `${JSON.stringify(file, null, 2)}\n`;
}
