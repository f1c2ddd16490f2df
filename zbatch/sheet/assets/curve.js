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
    const at = (share) => heap[Math.round(share * (heap.length - 1))] ?? null;
    return { low: at(0.1), middle: at(0.5), high: at(0.9), many: heap.length };
  });
  cache.set(kind, found);
  return found;
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
    this.top = LEVEL * Math.ceil(Math.max(LEVEL, ...own, ...others.map(({ high }) => high)) / LEVEL);
    const many = Math.max(...others.map((other) => other.many));
    this.dot = make("i", { class: "dot" });
    const parts = many > 1 ? [this.#band(others), this.#line("middle", others.map(({ middle }) => middle))] : [];
    this.root.replaceChildren(this.#svg(cells.length, ...parts, this.#line("own", own)), this.dot);
    const told = own.map((change, at) => `${axis.label(axis.column[cells[at]])}: ${change === null ? "unknown" : change.toFixed(2)}`);
    this.root.setAttribute("role", "img");
    this.root.setAttribute("aria-label", `Change ${data.from} along ${axis.short}: ${told.join(", ")}`);
    this.root.title = `How far the pictures are ${data.from} along ${axis.short}${many > 1 ? `; behind it the middle of ${plural(many, "line")} like it, and where eight of ten of them run` : ""}`;
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
