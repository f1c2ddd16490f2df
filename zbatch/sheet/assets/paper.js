// What a printer gets: plain tables of the view, whose headers browsers repeat on every page.

const PRINTED = 1500; // pictures; more are for `zbatch report --png`

class Paper {
  constructor(root, data, grid) {
    Object.assign(this, { root, data, grid });
    addEventListener("beforeprint", () => this.draw());
    addEventListener("afterprint", () => root.replaceChildren());
  }

  draw() {
    const { layout } = this.grid;
    let left = PRINTED;
    const parts = [];
    for (const [index, section] of layout.sections.entries()) {
      const rows = layout.rows.filter((row) => row.section === index).slice(0, Math.ceil(left / Math.max(1, layout.columns.length)));
      if (!rows.length) continue;
      left -= rows.reduce((sum, row) => sum + row.slots.length, 0);
      parts.push(this.#section(layout, section, rows));
      if (left <= 0) break;
    }
    if (left <= 0) parts.push(make("p", { text: `The first ${count(PRINTED)} pictures; zbatch report --png draws them all.` }));
    this.root.replaceChildren(...parts);
  }

  #section(layout, section, rows) {
    const { view } = layout;
    const title = view.groups.map((axis, at) => `${axis.short} ${axis.label(section.values[at])}`).join(" · ");
    const heads = layout.wall ? [] : layout.columns;
    const label = (axis, value) => make("th", { dir: "auto", text: axis ? axis.brief(value, 60) : "" });
    return make("section", {}, title ? make("h2", { text: middle(title, 160) }) : null, make("table", {},
      make("thead", {}, make("tr", {}, view.y ? make("th", { class: "rowname", text: view.y.short }) : null, ...heads.map((column) => label(view.x, column.value)))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, view.y ? label(view.y, row.value) : null, ...this.#slots(layout, row))))));
  }

  #slots(layout, row) {
    if (layout.wall) return row.slots.map((slot) => this.#slot(slot));
    const slots = new Map(row.slots.map((slot) => [slot.column, slot]));
    return layout.columns.map((column) => (slots.has(column.index) ? this.#slot(slots.get(column.index)) : make("td")));
  }

  #slot(slot) {
    const cell = slot.cells[0];
    const { layout } = this.grid;
    // Paper has no hints: on the wall each picture says where it belongs, and a stack how many it holds.
    const under = [layout.wall ? this.data.describe(cell) : "", slot.cells.length > 1 ? `1 of ${slot.cells.length} here` : ""].filter(Boolean).join(" · ");
    const caption = under ? make("p", { class: "under", dir: "auto", text: middle(under, 120) }) : null;
    if (this.data.state(cell) === "done") return make("td", {}, make("img", { src: this.data.thumb(cell), alt: this.data.describe(cell) }), caption);
    return make("td", { class: "none", dir: "auto", text: layout.wall ? under : [this.data.word(cell), middle(this.data.brief(cell), 60)].filter(Boolean).join(": ") });
  }
}
