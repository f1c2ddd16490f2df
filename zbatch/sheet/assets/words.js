// How values, sizes and times are written, and how long texts are shortened.

const TITLE_LIMIT = 2000;

/** Thousands set apart, by hand: loading the language data of `Intl` takes longer than drawing the page. */
const count = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");
const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
const hint = (text) => (text.length > TITLE_LIMIT ? `${text.slice(0, TITLE_LIMIT)}…` : text);

function bytesText(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}

function durationText(milliseconds) {
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

const timeText = (milliseconds) => new Date(milliseconds).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");

/** Shorten in the middle: how a text begins and how it ends tell more than its first half. */
function middle(text, limit) {
  const points = text.length > 4 * limit ? [...text.slice(0, 2 * limit), ...text.slice(-2 * limit)] : [...text];
  if (points.length <= limit) return text;
  const head = Math.ceil((limit - 1) * 0.6);
  return `${points.slice(0, head).join("").trimEnd()}…${points.slice(head + 1 - limit).join("").trimStart()}`;
}

const UNSEEN = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]|\p{Surrogate}/gu;
const TURNS = { 0x202a: "LRE", 0x202b: "RLE", 0x202c: "PDF", 0x202d: "LRO", 0x202e: "RLO", 0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI" };

/** A text with what cannot be seen, or turns what can be seen round, as signs: `photo[RLO]gnp.exe` shall not look like a `.png`. */
function visible(text) {
  return String(text).replace(UNSEEN, (sign) => {
    const code = sign.codePointAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return TURNS[code] ? `[${TURNS[code]}]` : code === 0x7f ? "\u2421" : "\ufffd";
  });
}

/** A word as a POSIX shell takes it. */
const shellWord = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
