// Where every cell stands: sections of rows of slots, in pixels. A slot holds one cell, or a stack of several.

const GAP = 8;
const BAR = 40; // height of a section's title

/** Where the arrow keys lead, here and in the lightbox: so many slots along the row, so many rows on. */
const ARROWS = {
  ArrowLeft: { way: "left", dx: -1, dy: 0 }, ArrowRight: { way: "right", dx: 1, dy: 0 },
  ArrowUp: { way: "up", dx: 0, dy: -1 }, ArrowDown: { way: "down", dx: 0, dy: 1 },
};

/** The order of values on the page; cells without the axis come last. */
const rank = (value) => (value === ABSENT ? Infinity : value);
const byRank = (one, other) => (rank(one) === rank(other) ? 0 : rank(one) - rank(other));

/** A row: where it stands, and which stretch of the layout's order lies in it. What lies where in it is found out when somebody looks: of ten thousand cells a window shows seventy. */
class Row {
  constructor(form, place) {
    Object.assign(this, place, { form, made: null });
  }

  get slots() {
    return (this.made ??= this.form.slots(this));
  }
}

class Layout {
  constructor(data, view, cells, room) {
    Object.assign(this, { data, view, cells });
    this.wall = view.wall;
    this.columns = [];
    this.sections = [];
    this.rows = [];
    this.boxes = []; // by shape, the first one for what has none
    this.order = new Int32Array(cells.length); // the cells, row after row
    this.rowOf = new Int32Array(data.size).fill(ABSENT); // by cell
    const along = occupied(view.x, cells);
    this.size = Math.max(view.size ?? fittingSize(data, view, cells.length, along, room), leastSize(room));
    this.captions = this.wall ? new Captions(data, view, this.size, room.width) : null;
    this.caption = this.captions?.height ?? 0;
    this.form = this.wall ? new Wall(this, room.width) : new Table(this, along);
    this.width = this.form.width;
    let top = 0;
    for (const section of this.#sections()) top = this.#place(section, top);
    this.height = top + GAP;
  }

  /** Where a cell stands, or null where a filter or a folded section hides it. */
  at(cell) {
    const row = this.rowOf[cell];
    return row === ABSENT ? null : { row, slot: this.rows[row].slots.findIndex(({ cells }) => cells.includes(cell)) };
  }

  /** Width and height of one picture: equal areas, true proportions. */
  box(cell) {
    const shape = this.data.shapeOf[cell] + 1;
    let box = this.boxes[shape];
    if (!box) {
      const root = Math.sqrt(this.data.tileAspect(cell));
      box = this.boxes[shape] = { width: Math.round(this.size * root), height: Math.round(this.size / root) };
    }
    return box;
  }

  /** The groups that there are, in the order of their values, each with its cells in grid order. */
  #sections() {
    const columns = this.view.groups.map((axis) => axis.column);
    const found = new Map();
    for (let from = 0, to = 0; from < this.cells.length; from = to) {
      to = this.#stretch(from, columns);
      const values = columns.map((column) => column[this.cells[from]]);
      const id = values.join(",");
      const known = found.get(id);
      const stretch = this.cells.slice(from, to);
      if (known) known.stretches.push(stretch);
      else found.set(id, { id, values, stretches: [stretch] });
    }
    return Array.from(found.values(), ({ id, values, stretches }) => ({ id, values, cells: stretches.length === 1 ? stretches[0] : stretches.flat() })).sort((one, other) => {
      for (let at = 0; at < one.values.length; at += 1) if (one.values[at] !== other.values[at]) return byRank(one.values[at], other.values[at]);
      return 0;
    });
  }

  /** The end of the cells that follow this one in its group: in grid order most belong where the one before did. */
  #stretch(from, columns) {
    const { cells } = this;
    const first = cells[from];
    if (columns.length === 0) return cells.length;
    for (let to = from + 1; to < cells.length; to += 1) {
      for (let at = 0; at < columns.length; at += 1) if (columns[at][cells[to]] !== columns[at][first]) return to;
    }
    return cells.length;
  }

  #place({ id, values, cells }, top) {
    const titled = this.view.groups.length > 0;
    const closed = this.view.folds.has(id);
    const section = { id, values, cells, top, titled, closed, firstRow: this.rows.length, count: this.data.shown(cells) };
    this.sections.push(section);
    const start = top + (titled ? BAR : GAP);
    const end = closed ? start : this.form.place(cells, start);
    section.height = end - top;
    return end;
  }

  /** A row of so many cells below those that are there; gives where its cells begin in the order. */
  addRow(value, top, height, many) {
    const from = this.rows.at(-1)?.to ?? 0;
    this.rows.push(new Row(this.form, { value, top, height, from, to: from + many, section: this.sections.length - 1 }));
    return from;
  }

  /** Rows that touch a stretch of the page, as a half-open range. */
  rowsBetween(top, bottom) {
    return [firstWhere(this.rows, (row) => row.top + row.height > top), firstWhere(this.rows, (row) => row.top >= bottom)];
  }

  /** The cell `dx` slots and `dy` rows away, or null at the edge. */
  step(cell, dx, dy) {
    const at = this.at(cell);
    if (!at) return null;
    const row = this.rows[at.row];
    if (dx) {
      const next = row.slots[at.slot + dx];
      if (next) return next.cells[0];
      const beyond = this.wall ? this.rows[at.row + Math.sign(dx)] : null;
      return beyond ? beyond.slots.at(dx > 0 ? 0 : -1).cells[0] : null;
    }
    const next = this.rows[at.row + dy];
    if (!next) return null;
    const middle = row.slots[at.slot].left;
    return next.slots.reduce((best, slot) => (Math.abs(slot.left - middle) < Math.abs(best.left - middle) ? slot : best)).cells[0];
  }

  /** How many lines a screen reader counts: the heads of the columns, the titles of the groups, and the rows. */
  get lines() {
    return this.#linesAbove + this.rows.length + this.sections.filter(({ titled }) => titled).length;
  }

  get #linesAbove() {
    return this.view.x ? 1 : 0;
  }

  lineOfRow(index) {
    const { section } = this.rows[index];
    return this.#linesAbove + index + (this.sections[section].titled ? section + 1 : 0) + 1;
  }

  lineOfSection(index) {
    return this.#linesAbove + this.sections[index].firstRow + index + 1;
  }

  stack(cell) {
    const at = this.at(cell);
    return at ? this.rows[at.row].slots[at.slot].cells : [cell];
  }
}

function firstWhere(list, good) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const half = (low + high) >> 1;
    if (good(list[half])) high = half;
    else low = half + 1;
  }
  return low;
}
