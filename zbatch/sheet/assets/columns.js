// Columns as `data.js` packs them, unpacked when they are first asked for: nothing waits for what is not looked at.

const CODES = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array };

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Whole numbers: typed where none is missing, else a list in which null stands for those. */
function unpackNumbers(packed) {
  if (Array.isArray(packed)) return packed;
  const { count: size, from, gaps, bytes: width, data } = packed;
  const codes = width === 0 ? new Uint8Array(size) : new CODES[width](bytesOf(data).buffer);
  if (gaps) return Array.from(codes, (code) => (code === 0 ? null : from + code));
  if (from === 0) return codes;
  const most = from + 256 ** width - 1;
  const numbers = new (from >= -(2 ** 31) && most < 2 ** 31 ? Int32Array : Float64Array)(size);
  for (let at = 0; at < size; at += 1) numbers[at] = from + codes[at];
  return numbers;
}

function unpackHashes(packed) {
  if (Array.isArray(packed)) return packed;
  const bytes = bytesOf(packed.data);
  const text = bytes.toHex ? bytes.toHex() : Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const none = "0".repeat(64);
  return Array.from({ length: packed.count }, (_, at) => {
    const hash = text.slice(64 * at, 64 * at + 64);
    return hash === none ? "" : hash;
  });
}

function unpackTexts(packed) {
  if (Array.isArray(packed)) return packed;
  return packed.lines === undefined ? new Array(packed.count).fill(packed.same ?? "") : packed.lines.split("\n");
}

/** A picture lies where its job's key says unless the manifest names files; then only the ending is written down. */
const unpackFiles = (packed, jobs) =>
  unpackTexts(packed).map((file, job) => (file.startsWith(".") ? `images/${jobs.key[job].slice(0, 16)}${file}` : file));

const unpackTasks = (packed) =>
  unpackTexts(packed).map((tasks) => (tasks === "" ? [] : tasks.startsWith("[") ? JSON.parse(tasks) : [tasks]));

const UNPACK = { key: unpackHashes, sha256: unpackHashes, file: unpackFiles, task_ids: unpackTasks };

/** The jobs: a column by its name, a job's value in it by the job's number. */
class Jobs {
  constructor(packed) {
    this.count = packed.state.count ?? packed.state.length;
    for (const [name, column] of Object.entries(packed)) {
      Object.defineProperty(this, name, {
        configurable: true,
        get: () => {
          const value = (UNPACK[name] ?? unpackNumbers)(column, this);
          Object.defineProperty(this, name, { configurable: true, value });
          return value;
        },
      });
    }
  }

  /** Change a column for some jobs. What packed numbers were unpacked into may be too narrow for new ones. */
  put(name, jobs, values) {
    let column = this[name];
    if (!Array.isArray(column)) Object.defineProperty(this, name, { configurable: true, value: (column = Array.from(column)) });
    for (let index = 0; index < jobs.length; index += 1) column[jobs[index]] = values[index];
  }
}
