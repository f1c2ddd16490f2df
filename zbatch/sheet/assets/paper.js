// What a printer gets: plain tables of the view, whose headers browsers repeat on every page.

const PRINTED = 1500; // pictures; more are for `zbatch report --png`
const WHOLE = 5; // rows; a group of no more is not cut where a page ends

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

  /** The title of a group stands in the head of its table: printers repeat that on every page the group goes on to. */
  #section(layout, section, rows) {
    const { view } = layout;
    const title = view.groups.map((axis, at) => `${axis.short} ${axis.label(section.values[at])}`).join(" · ");
    const label = (axis, value) => make("th", { dir: "auto", text: axis ? axis.brief(value, 60) : "" });
    const heads = view.x ? layout.columns.map((column) => label(view.x, column.value)) : [];
    const wide = (view.y ? 1 : 0) + Math.max(1, layout.columns.length, ...rows.map((row) => row.slots.length));
    return make("table", { class: rows.length <= WHOLE ? "whole" : null },
      view.y ? make("colgroup", {}, make("col", { class: "rowname" })) : null,
      make("thead", {},
        title ? make("tr", {}, make("th", { class: "group", colspan: wide, dir: "auto", text: middle(title, 160) })) : null,
        heads.length || view.y ? make("tr", {}, view.y ? make("th", { text: view.y.short }) : null, ...heads) : null),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, view.y ? label(view.y, row.value) : null, ...this.#slots(layout, row)))));
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
    const under = [layout.wall ? layout.captions.words(cell) : "", slot.cells.length > 1 ? `1 of ${slot.cells.length} here` : ""].filter(Boolean).join("\n");
    const caption = under ? make("p", { class: "under", dir: "auto", text: under }) : null;
    if (this.data.state(cell) === "done") return make("td", {}, make("img", { src: this.data.thumb(cell), alt: this.data.describe(cell) }), caption);
    const why = [this.data.word(cell), middle(this.data.brief(cell), 60)].filter(Boolean).join(": ");
    return make("td", { class: "none", dir: "auto" }, why, caption);
  }
}
