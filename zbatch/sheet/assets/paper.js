// What a printer gets: plain tables of the view, whose headers browsers repeat on every page, or the picture looked at.

const PRINTED = 1500; // pictures; more are for `zbatch report --png`
const WHOLE = 5; // rows; a group of no more is not cut where a page ends
const CLOSE = 12; // pictures; so few are printed from the images themselves, more from their thumbnails
const SHEET = { wide: 186, name: 0.13, high: 60 }; // millimetres of A4 upright, the part of row names, and of a picture
const POINT = 25.4 / 72; // millimetres
const LEADING = 1.3 * POINT; // millimetres that a line of a type of one point takes
const LETTER_ON_PAPER = 0.52; // of the size of its type, about
const TITLE = 240; // letters of a value in the title of a group, which goes over several lines
const HEAD_ON_PAPER = 21; // millimetres, about five lines
const DOTS = { few: 300 / 25.4, many: 150 / 25.4 }; // a millimetre

/** How many letters of a type of so many points a box of so many millimetres takes; words do not fill their lines. */
const lettersIn = (wide, high, type) => Math.floor(((wide - 3) / (type * POINT * LETTER_ON_PAPER)) * Math.floor(high / (type * LEADING)) * 0.9);

/** A number is never broken. */
const inParts = (axis, words) => (axis.numeric ? [words] : breakable(words));

class Paper {
  /** `looked` gives the lightbox while it is open. */
  constructor(root, data, grid, looked) {
    Object.assign(this, { root, data, grid, looked });
    addEventListener("beforeprint", () => this.draw());
    addEventListener("afterprint", () => this.#clear());
  }

  /** On paper the lightbox is hidden, and what is hidden loses the focus: keys lead there again. */
  #clear() {
    this.root.replaceChildren();
    if (document.activeElement === document.body) this.looked()?.frame.focus({ preventScroll: true });
  }

  draw() {
    const box = this.looked();
    if (box) this.root.replaceChildren(proof(this.data, box));
    else this.#tables();
  }

  #tables() {
    const { layout } = this.grid;
    this.few = layout.rows.reduce((sum, row) => sum + row.slots.length, 0) <= CLOSE;
    const most = layout.sections.some((section) => section.closed) ? `${count(PRINTED)} pictures and folded groups` : `${count(PRINTED)} pictures`;
    let left = PRINTED;
    const parts = [this.#asked()].filter(Boolean);
    for (const [index, section] of layout.sections.entries()) {
      const rows = layout.rows.filter((row) => row.section === index).slice(0, Math.ceil(left / Math.max(1, layout.columns.length)));
      if (!rows.length && !section.closed) continue;
      left -= section.closed ? 1 : rows.reduce((sum, row) => sum + row.slots.length, 0);
      parts.push(section.closed ? this.#folded(layout, section) : this.#section(layout, section, rows));
      if (left <= 0) break;
    }
    if (left <= 0) parts.push(make("p", { text: `The first ${most}; zbatch report --png draws them all.` }));
    this.root.replaceChildren(...parts);
  }

  /** What the view was asked for that its tables do not tell. */
  #asked() {
    const { query, wall, sort, down, orders } = this.grid.layout.view;
    const { words, firsts } = orders.get(sort);
    const parts = [query && `Search: ${query}`, wall && (sort || down) && `Sorted by ${words}, ${firsts[Number(down)].toLowerCase()}`];
    return parts.some(Boolean) ? make("p", { class: "asked", dir: "auto", text: parts.filter(Boolean).join(" · ") }) : null;
  }

  #title({ view }, { values }) {
    return view.groups.map((axis, at) => `${axis.short} ${axis.brief(values[at], TITLE)}`).join(" · ");
  }

  /** A folded group is its title, as on the screen; paper has no arrow to press, so it says how many are not seen. */
  #folded(layout, section) {
    const many = section.count ? plural(section.count, "cell") : plural(section.cells.length, "excluded cell");
    return make("p", { class: "group folded", dir: "auto" }, this.#title(layout, section), make("span", { class: "many", text: `${many}, folded` }));
  }

  /** The title of a group stands in the head of its table: printers repeat that on every page the group goes on to. */
  #section(layout, section, rows) {
    const { view } = layout;
    const title = this.#title(layout, section);
    const across = Math.max(1, layout.columns.length, ...rows.map((row) => row.slots.length));
    const wide = (SHEET.wide * (view.y ? 1 - SHEET.name : 1)) / across;
    const label = (axis, value, width, height) => make("th", { dir: "auto" }, ...(axis ? inParts(axis, axis.brief(value, Math.max(60, lettersIn(width, height, 9)))) : []));
    const heads = view.x ? layout.columns.map((column) => label(view.x, column.value, wide, HEAD_ON_PAPER)) : [];
    // Which axis runs which way: across, down, or across alone, where the first column's head tells.
    const corner = [view.x ? `${view.x.short} →` : "", view.y ? `${view.y.short} ↓` : ""].filter(Boolean).join("\n");
    if (view.x && !view.y) heads[0]?.prepend(make("span", { class: "along", text: `${view.x.short} ` }));
    // What is said in place of a picture takes no more room than one.
    const type = wide < 18 ? 6 : 8;
    const lines = Math.max(2, Math.min(6, Math.floor((wide - 3) / (type * LEADING))));
    const room = lettersIn(wide, lines * type * LEADING, type);
    const table = make("table", { class: [rows.length <= WHOLE ? "whole" : "", layout.wall ? "prints" : ""].join(" ").trim() || null },
      view.y ? make("colgroup", {}, make("col", { class: "rowname" })) : null,
      make("thead", {},
        title ? make("tr", {}, make("th", { class: "group", colspan: across + (view.y ? 1 : 0), dir: "auto", text: title })) : null,
        heads.length || view.y ? make("tr", {}, view.y ? make("th", { class: "corner", text: corner }) : null, ...heads) : null),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, view.y ? label(view.y, row.value, SHEET.wide * SHEET.name, Math.min(wide, SHEET.high)) : null, ...this.#slots(layout, row, room)))));
    table.style.setProperty("--type", `${type}pt`);
    table.style.setProperty("--lines", lines);
    for (const image of table.querySelectorAll("img")) asSmallAsPrinted(image, wide, this.few ? DOTS.few : DOTS.many);
    return table;
  }

  #slots(layout, row, room) {
    if (layout.wall) return row.slots.map((slot) => this.#slot(slot, room));
    const slots = new Map(row.slots.map((slot) => [slot.column, slot]));
    return layout.columns.map((column) => (slots.has(column.index) ? this.#slot(slots.get(column.index), room) : make("td")));
  }

  /** `room` is for how many letters there is room where a picture would be. */
  #slot(slot, room) {
    const { layout } = this.grid;
    const turn = this.grid.stacks.turnOf(slot.cells);
    const cell = slot.cells[turn];
    // Paper has no hints: on the wall each picture says where it belongs, and of a stack which one it is of how many.
    const here = slot.cells.length > 1 ? [`${turn + 1} of ${slot.cells.length} here`, toldApart(this.data, slot.cells, cell, room)] : [];
    const under = [layout.wall ? layout.captions.words(cell) : "", here.filter(Boolean).join(": ")].filter(Boolean).join("\n");
    const caption = under ? make("p", { class: "under", dir: "auto", text: under }) : null;
    if (this.data.print) return make("td", {}, this.data.print(cell, this.few), caption);
    if (this.data.state(cell) === "done") return make("td", {}, paperPicture(this.data, cell, this.few), caption);
    const word = this.data.word(cell);
    const why = [word, toldIn(this.data, cell, Math.max(24, room - word.length - 2))].filter(Boolean).join(": ");
    return make("td", {}, make("div", { class: "none" }, make("p", { class: "why", dir: "auto" }, ...breakable(why))), caption);
  }
}
