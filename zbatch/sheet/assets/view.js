// How the run is looked at, and its spelling in the address, so that a link brings back what one sees.

/** Which groups are folded: all but some, or some. */
class Folds {
  constructor() {
    this.clear();
  }

  clear() {
    this.all = false;
    this.others = new Set();
  }

  has(id) {
    return this.others.has(id) !== this.all;
  }

  toggle(id) {
    if (!this.others.delete(id)) this.others.add(id);
  }

  every(folded) {
    this.all = folded;
    this.others.clear();
  }

  get words() {
    return [...(this.all ? ["all"] : []), ...this.others];
  }
}

/** What the address says of an axis with hidden values: those, or where they are fewer, the ones that are left. */
function told(axis, hidden) {
  const left = axis.numbers.filter((value) => !hidden.has(value));
  const [name, values] = left.length && left.length < hidden.size ? ["only", left] : ["hide", axis.numbers.filter((value) => hidden.has(value))];
  return values.map((value) => [name, value]);
}

/** A value's name in the address: a prompt would make it a page long, a sum stands for that. */
function nameOf(axis, value) {
  const label = axis.label(value);
  if (label.length <= 60) return label;
  let sum = 0;
  for (let at = 0; at < label.length; at += 1) sum = (Math.imul(sum, 31) + label.charCodeAt(at)) >>> 0;
  return `~${sum.toString(36)}`;
}

class View {
  constructor(data) {
    this.data = data;
    this.orders = Order.of(data);
    this.folds = new Folds();
    this.reset();
  }

  reset() {
    Object.assign(this, this.#usual);
    const { sort = "", down = false } = this.data.raw.view;
    this.first = { sort, down };
    Object.assign(this, this.first);
    this.folds.clear();
    this.left = null; // the axes that the wall took the place of
    this.size = null; // fits the columns into the window
    this.panel = null;
    this.clearFilters();
  }

  /** The axes that the run's own view has. */
  get #usual() {
    return this.#axesOf(this.data.raw.view);
  }

  #axesOf({ x, y, group }) {
    const { byName } = this.data;
    return { x: byName.get(x) ?? null, y: byName.get(y) ?? null, groups: group.map((name) => byName.get(name)).filter(Boolean) };
  }

  clearFilters() {
    this.hidden = new Map();
    this.state = null;
    this.query = "";
  }

  get filtered() {
    return this.state !== null || this.query.trim() !== "" || [...this.hidden.values()].some((values) => values.size > 0);
  }

  hides(axis) {
    let values = this.hidden.get(axis);
    if (!values) this.hidden.set(axis, (values = new Set()));
    return values;
  }

  get wall() {
    return this.x === null && this.y === null;
  }

  /** The wall, in which every picture lies for itself; and back to the axes that there were. */
  toggleWall() {
    this.folds.clear();
    if (!this.wall) {
      this.left = { x: this.x, y: this.y, groups: this.groups };
      Object.assign(this, { x: null, y: null, groups: [] });
      return;
    }
    const { x, y, groups } = this.left ?? this.#axesOf(this.data.raw.view.grid ?? this.data.raw.view);
    this.x = x ?? (y ? null : (this.data.varying[0] ?? null));
    this.y = y;
    this.groups = groups.filter((axis) => axis !== this.x && axis !== this.y);
    this.left = null;
  }

  /** Put an axis in a place; whatever axis stood there takes the place this one leaves. */
  place(where, axis) {
    this.folds.clear();
    const before = this[where];
    const other = where === "x" ? "y" : "x";
    if (axis && this[other] === axis) this[other] = before;
    else if (axis && this.groups.includes(axis)) {
      this.groups = this.groups.map((group) => (group === axis ? before : group)).filter(Boolean);
    } else if (before && axis) this.groups = [...this.groups, before];
    this[where] = axis;
  }

  group(axis) {
    this.folds.clear();
    if (this.x === axis) this.x = null;
    if (this.y === axis) this.y = null;
    this.groups = [...this.groups.filter((group) => group !== axis), axis];
  }

  /** Let an axis group before the one that stands before it. */
  promote(axis) {
    this.folds.clear();
    const at = this.groups.indexOf(axis);
    if (at > 0) this.groups = [...this.groups.slice(0, at - 1), axis, this.groups[at - 1], ...this.groups.slice(at + 1)];
  }

  ungroup(axis) {
    this.folds.clear();
    this.groups = this.groups.filter((group) => group !== axis);
  }

  swap() {
    [this.x, this.y] = [this.y, this.x];
  }

  /** Order the wall anew, from where that order begins. */
  sortBy(sort) {
    Object.assign(this, { sort, down: this.#begins(sort) });
  }

  /** Whether an order begins with the highest, unless it is turned round. */
  #begins(sort) {
    return sort === this.first.sort ? this.first.down : Boolean(this.orders.get(sort).down);
  }

  get hash() {
    const words = new URLSearchParams();
    words.set("x", this.x?.name ?? "");
    words.set("y", this.y?.name ?? "");
    for (const axis of this.groups) words.append("group", axis.name);
    for (const axis of this.data.axes) for (const [name, value] of told(axis, this.hides(axis))) words.append(`${name}.${axis.name}`, nameOf(axis, value));
    if (this.state) words.set("state", this.state);
    if (this.query) words.set("q", this.query);
    if (this.sort !== this.first.sort) words.set("sort", this.sort);
    if (this.down !== this.#begins(this.sort)) words.set("down", this.down ? "1" : "0");
    for (const id of this.folds.words) words.append("fold", id);
    if (this.size !== null) words.set("size", this.size);
    if (this.panel !== null) words.set("panel", this.panel ? "1" : "0");
    return words;
  }

  /** Take over what an address says. What it names and the run has not is passed over. */
  read(hash) {
    const words = new URLSearchParams(hash.replace(/^#/, ""));
    const named = (name) => this.data.byName.get(words.get(name)) ?? null;
    if (words.has("x") || words.has("y")) {
      this.x = named("x");
      this.y = named("y") === this.x ? null : named("y");
      const groups = words.getAll("group").map((name) => this.data.byName.get(name));
      this.groups = [...new Set(groups)].filter((axis) => axis && axis !== this.x && axis !== this.y);
    }
    for (const axis of this.data.axes) {
      for (const name of words.getAll(`hide.${axis.name}`)) this.#named(axis, name).forEach((value) => this.hides(axis).add(value));
      const only = words.getAll(`only.${axis.name}`).flatMap((name) => this.#named(axis, name));
      if (only.length) for (const value of axis.numbers) if (!only.includes(value)) this.hides(axis).add(value);
    }
    if (this.data.kinds.includes(words.get("state"))) this.state = words.get("state");
    this.query = words.get("q") ?? "";
    if (this.orders.has(words.get("sort"))) this.sortBy(words.get("sort"));
    if (words.has("down")) this.down = words.get("down") === "1";
    for (const id of words.getAll("fold")) {
      if (id === "all") this.folds.every(true);
      else this.folds.toggle(id);
    }
    const size = Number(words.get("size"));
    if (size) this.size = Math.min(SIZES.most, Math.max(SIZES.least, size));
    if (words.has("panel")) this.panel = words.get("panel") === "1";
    return words.get("at");
  }

  /** The value that a name in the address means, if the axis has it. */
  #named(axis, name) {
    if (name === "—" && axis.partial) return [ABSENT];
    const value = axis.labels.findIndex((_, index) => nameOf(axis, index) === name);
    return value < 0 ? [] : [value];
  }
}
