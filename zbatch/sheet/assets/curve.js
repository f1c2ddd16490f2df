// How far pictures move from their baseline along an axis: this line of pictures, and all others like it behind it.

const LEVEL = 0.1; // the top of a curve is a multiple of this

/** What lines like this one do along the axis: under one LoRA or stack, over all prompts, seeds and what else varies. */
function responses(data, axis, cell) {
  const name = axis.name === "lora.scale" ? data.byName.get("lora.name") : null;
  const kind = name ? name.column[cell] : ABSENT;
  const cache = (axis.responses ??= new Map());
  let found = cache.get(kind);
  if (found) return found;
  const heaps = axis.values.map(() => []);
  for (let other = 0; other < data.size; other += 1) {
    const value = axis.column[other];
    if (value === ABSENT || (name && name.column[other] !== kind)) continue;
    const change = data.change(other, axis);
    if (change !== null) heaps[value].push(change);
  }
  found = heaps.map((heap) => {
    heap.sort((one, other) => one - other);
    return { low: tenth(heap, 1), middle: tenth(heap, 5), high: tenth(heap, 9), many: heap.length };
  });
  cache.set(kind, found);
  return found;
}

/** A decile of sorted numbers, between the two it falls between; `null` of none. */
function tenth(heap, number) {
  if (heap.length < 2) return heap[0] ?? null;
  const [at, over] = [Math.floor((number * (heap.length - 1)) / 10), (number * (heap.length - 1)) % 10];
  return (heap[at] * (10 - over) + heap[at + 1] * over) / 10;
}

const BEND = 0.1;
const UPTURN = 0.2;

/** Where a curve bends, as zbatch/sheet/curves.py finds it (the reasons stand there): `{ knee, share, upturn }`, or `null`. */
function bends(values, all) {
  const points = all.map(({ middle: change }, at) => ({ change, value: values[at] })).filter(({ change }) => change !== null);
  const rise = points.length < 4 ? 0 : points.at(-1).change - points[0].change;
  if (rise <= 0) return null;
  const above = aboveChord(points);
  const knee = above.indexOf(Math.max(...above));
  if (above[knee] < BEND) return null;
  const rest = points.slice(knee);
  const share = (rest[0].change - points[0].change) / rise;
  const turns = rest.length > 2 && rest.at(-1).change - rest[0].change >= UPTURN * rise ? aboveChord(rest) : [0];
  const lowest = Math.min(...turns);
  return { knee: rest[0].value, share, upturn: lowest <= -BEND ? rest[turns.indexOf(lowest)].value : null };
}

function aboveChord(points) {
  const [first, last] = [points[0], points.at(-1)];
  return points.map(({ change, value }) => (change - first.change) / (last.change - first.change) - (value - first.value) / (last.value - first.value));
}

/** Where values stand across, in steps of the strip: as far apart as they are, so that a bend is none of the spacing. */
function placed(values) {
  const [first, last] = [values[0], values.at(-1)];
  return values.map((value) => 0.5 + ((value - first) / (last - first)) * (values.length - 1));
}

class Curve {
  constructor(data) {
    this.data = data;
    this.root = make("div", { class: "curve" });
  }

  /** Draw it for the pictures of a strip, a step for each; hidden where nothing is known of them. */
  build(axis, cells) {
    const { data } = this;
    this.axis = axis;
    this.cells = cells;
    const own = cells.map((cell) => data.change(cell, axis));
    this.at = placed(cells.map((cell) => axis.values[axis.column[cell]]));
    this.root.hidden = !data.measured.includes(axis) || own.filter((change) => change !== null).length < 2;
    if (this.root.hidden) return;
    const all = responses(data, axis, cells[0]);
    const others = cells.map((cell) => all[axis.column[cell]]);
    this.top = LEVEL * Math.ceil(Math.max(LEVEL, ...own, ...others.map(({ high }) => high)) / LEVEL - 1e-9);
    const many = Math.max(...others.map((other) => other.many));
    this.dot = make("i", { class: "dot" });
    const parts = many > 1 ? [this.#band(others), this.#line("middle", others.map(({ middle }) => middle))] : [];
    const bent = bends(axis.values, all);
    this.root.replaceChildren(this.#svg(cells.length, ...parts, this.#line("own", own)), ...this.#scale(), ...this.#marks(bent, others), this.dot);
    const told = own.map((change, at) => `${axis.label(axis.column[cells[at]])}: ${change === null ? "unknown" : change.toFixed(2)}`);
    const words = this.#words(bent);
    this.root.setAttribute("role", "img");
    this.root.setAttribute("aria-label", `Change ${data.from} along ${axis.short}: ${told.join(", ")}${words && `. ${words}`}`);
    this.root.title = `How far the pictures are ${data.from} along ${axis.short}, from 0, the same, to 1 (ꟻLIP)${many > 1 ? `; behind it the middle of ${plural(many, "line")} like it, and where eight of ten of them run` : ""}${words && `. ${words}`}`;
  }

  /** How high the drawing reaches: what its foot and its head stand for. */
  #scale() {
    return [make("i", { class: "level" }), make("span", { class: "reach", text: this.top.toFixed(1) }), make("span", { class: "reach foot", text: "0" })];
  }

  /** Where the middle of all lines bends; in pairs of runs there is no way that is gone. */
  #marks(bent, others) {
    if (bent === null || this.data.sides) return [];
    return [["knee", bent.knee], ["upturn", bent.upturn]].flatMap(([name, value]) => {
      const at = this.cells.findIndex((cell) => this.axis.values[this.axis.column[cell]] === value);
      if (at < 0 || others[at].middle === null) return [];
      const place = this.at[at] / this.cells.length;
      const more = name === "knee" ? make("span", { text: `: ${Math.round(100 * bent.share)} % of the change` }) : null;
      const mark = make("span", { class: `bend ${name}${place > 0.7 ? " late" : ""}` }, make("small", {}, name, more));
      mark.style.left = `${100 * place}%`;
      mark.style.height = `${(100 * others[at].middle) / this.top}%`;
      return [mark];
    });
  }

  #words(bent) {
    if (bent === null || this.data.sides) return "";
    const after = bent.upturn === null ? "" : `; after ${bent.upturn} it changes faster again`;
    return `${Math.round(100 * bent.share)} % of the change has come by ${bent.knee}, the knee${after}`;
  }

  move(at) {
    if (this.root.hidden) return;
    const change = this.data.change(this.cells[at], this.axis);
    this.dot.hidden = change === null;
    this.dot.style.left = `${(100 * this.at[at]) / this.cells.length}%`;
    this.dot.style.bottom = `${(100 * (change ?? 0)) / this.top}%`;
  }

  #svg(stops, ...parts) {
    const svg = drawn("svg", { viewBox: `0 0 ${stops} 1`, preserveAspectRatio: "none", "aria-hidden": "true" });
    svg.append(...parts);
    return svg;
  }

  #point(at, change) {
    return `${this.at[at]} ${(1 - change / this.top).toFixed(4)}`;
  }

  /** A line that breaks off where nothing is known. */
  #line(kind, changes) {
    let path = "";
    let on = false;
    for (const [at, change] of changes.entries()) {
      if (change !== null) path += `${on ? "L" : "M"}${this.#point(at, change)}`;
      on = change !== null;
    }
    return drawn("path", { class: kind, d: path });
  }

  #band(others) {
    const known = others.map((other, at) => ({ ...other, at })).filter(({ low }) => low !== null);
    const edge = [...known.map(({ at, high }) => this.#point(at, high)), ...known.toReversed().map(({ at, low }) => this.#point(at, low))];
    return drawn("path", { class: "band", d: edge.length ? `M${edge.join("L")}Z` : "" });
  }
}
