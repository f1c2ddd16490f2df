// One cell as a manifest of its own, and as a request that `curl` sends. Both are text that other programs read.

/** The manifest that makes this cell's job and no other. */
function manifestText(data, cell) {
  const { about } = data;
  const key = data.jobs.key[data.job(cell)];
  const request = data.request(cell);
  const lines = ["version: 1", `name: ${yamlText(`${about.name.slice(0, 48)}-${key.slice(0, 8)}`)}`];
  if (about.model) lines.push(`model: ${yamlText(about.model)}`);
  if (about.endpoint && about.endpoint_kind !== "preview") lines.push(`endpoint: ${yamlText(about.endpoint)}`);
  lines.push("request:", ...Object.entries(request).map(([name, value]) => `  ${name}: ${yamlField(name, value)}`));
  const lifted = liftedRules(request);
  if (lifted.length) lines.push(`limits: {unchecked: [${lifted.join(", ")}]}`);
  return `${lines.join("\n")}\n`;
}

function yamlField(name, value) {
  if (name === "loras") return `[${value.map(({ path, scale }) => `{path: ${yamlText(literal(path))}, scale: ${plainNumber(scale)}}`).join(", ")}]`;
  if (value !== null && typeof value === "object") return yamlText(literal(value.file));
  if (typeof value === "string") return yamlText(literal(value));
  return typeof value === "number" ? plainNumber(value) : String(value);
}

/** A double-quoted scalar. JSON's is one, but for the characters that YAML takes for line breaks or refuses. */
const yamlText = (text) => JSON.stringify(text).replace(/[\u007f-\u00a0\u2028\u2029\ufeff\ufffe\uffff]/g,
  (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Strings of `request` are templates: what would open one is written as the text it is. */
const literal = (text) => text.replace(/\{[{%#]/g, (mark) => `{{ '${mark}' }}`).replace(/\n$/, "{{ '\\n' }}");

/** YAML 1.1 reads `1e-7` as a word. */
const plainNumber = (number) => (/e/.test(String(number)) ? number.toLocaleString("en", { useGrouping: false, maximumSignificantDigits: 17 }) : String(number));

/** Rules of sister models' documents that this job's own manifest must have lifted. */
function liftedRules({ size, loras = [] }) {
  const sides = size.split("*").map(Number);
  return [
    ...(sides.some((side) => side < 256 || side > 1536) ? ["size"] : []),
    ...(loras.some(({ scale }) => scale < 0 || scale > 4) ? ["scale"] : []),
  ];
}

const SERVED = { scheme: "http", host: "127.0.0.1:8788" }; // where zbatch serve listens

const LONGEST_WORD = 100_000; // bytes; Linux hands no program a word over 128 KiB

/** The submit call. The key stays a variable, input images are read from where they lie. */
function curlText(data, cell) {
  const { about } = data;
  const base = about.endpoint_kind === "preview" || !about.endpoint ? `${SERVED.scheme}://${SERVED.host}` : about.endpoint;
  const call = ["curl --fail-with-body -sS", shellWord(`${base}/v3/async/${encodeURIComponent(about.model)}`),
    '-H "Authorization: Bearer $ZBATCH_API_KEY"', "-H 'Content-Type: application/json'"].join(" \\\n  ");
  const body = JSON.stringify(data.request(cell));
  const pieces = bodyPieces(data.request(cell));
  if (pieces.length === 1 && new TextEncoder().encode(body).length < LONGEST_WORD) return `${call} \\\n  --data-raw ${shellWord(body)}\n`;
  return `{ ${pieces.join("; ")}; } |\n${call} \\\n  --data-binary @-\n`;
}

/** Commands that print the body: `printf` (the shell's own: any length), and each input image as base64. */
function bodyPieces(request) {
  const pieces = [];
  let text = "";
  const say = () => pieces.push(`printf %s ${shellWord(text)}`);
  for (const [name, value] of Object.entries(request)) {
    text += `${text || pieces.length ? "," : "{"}${JSON.stringify(name)}:`;
    if (!value?.file) {
      text += JSON.stringify(value);
      continue;
    }
    text += `"data:${mediaType(value.file)};base64,`;
    say();
    pieces.push(`base64 < ${shellWord(value.file)} | tr -d '\\n'`);
    text = '"';
  }
  text += "}";
  say();
  return pieces;
}

const mediaType = (file) => ({ jpg: "image/jpeg", jpeg: "image/jpeg", webp: "image/webp" })[file.split(".").at(-1).toLowerCase()] ?? "image/png";
