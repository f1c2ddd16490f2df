// How the run is looked at, and its spelling in the address, so that a link brings back what one sees.

const SIZES = { least: 56, most: 480, usual: 184, snug: [88, 224] };

class View {
  constructor(data) {
    this.data = data;
    this.reset();
  }

  reset() {
    const { view } = this.data.raw;
    this.x = this.data.byName.get(view.x) ?? null;
    this.y = this.data.byName.get(view.y) ?? null;
    this.groups = view.group.map((name) => this.data.byName.get(name)).filter(Boolean);
    this.size = null; // fits the columns into the window
    this.panel = null;
    this.clearFilters();
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

  /** Put an axis in a place; whatever axis stood there takes the place this one leaves. */
  place(where, axis) {
    const before = this[where];
    const other = where === "x" ? "y" : "x";
    if (axis && this[other] === axis) this[other] = before;
    else if (axis && this.groups.includes(axis)) {
      this.groups = this.groups.map((group) => (group === axis ? before : group)).filter(Boolean);
    } else if (before && axis) this.groups = [...this.groups, before];
    this[where] = axis;
  }

  group(axis) {
    if (this.x === axis) this.x = null;
    if (this.y === axis) this.y = null;
    this.groups = [...this.groups.filter((group) => group !== axis), axis];
  }

  ungroup(axis) {
    this.groups = this.groups.filter((group) => group !== axis);
  }

  swap() {
    [this.x, this.y] = [this.y, this.x];
  }

  get hash() {
    const words = new URLSearchParams();
    words.set("x", this.x?.name ?? "");
    words.set("y", this.y?.name ?? "");
    for (const axis of this.groups) words.append("group", axis.name);
    for (const [axis, values] of this.hidden) for (const value of values) words.append(`hide.${axis.name}`, axis.label(value));
    if (this.state) words.set("state", this.state);
    if (this.query) words.set("q", this.query);
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
    for (const [name, label] of words) {
      const axis = name.startsWith("hide.") ? this.data.byName.get(name.slice(5)) : null;
      const value = axis ? (label === "—" ? ABSENT : axis.labels.indexOf(label)) : null;
      if (axis && (value !== ABSENT || label === "—")) this.hides(axis).add(value);
    }
    if (words.get("state") in STATE_WORDS) this.state = words.get("state");
    this.query = words.get("q") ?? "";
    const size = Number(words.get("size"));
    if (size) this.size = Math.min(SIZES.most, Math.max(SIZES.least, size));
    if (words.has("panel")) this.panel = words.get("panel") === "1";
    return words.get("at");
  }
}
