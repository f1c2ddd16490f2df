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

class Layout {
  constructor(data, view, cells, room) {
    Object.assign(this, { data, view, cells });
    this.wall = view.wall;
    this.columns = [];
    this.sections = [];
    this.rows = [];
    this.boxes = []; // by shape, the first one for what has none
    this.size = Math.max(view.size ?? fittingSize(data, view, cells, room), leastSize(room));
    this.captions = this.wall ? new Captions(data, view, this.size, room.width) : null;
    this.caption = this.captions?.height ?? 0;
    const sections = this.#sections();
    if (this.wall) this.#placeWall(sections, room);
    else this.#placeTable(sections);
    this.#index();
  }

  #index() {
    const rowOf = (this.rowOf = new Int32Array(this.data.size).fill(ABSENT));
    const slotOf = (this.slotOf = new Int32Array(this.data.size));
    for (let row = 0; row < this.rows.length; row += 1) {
      const { slots } = this.rows[row];
      for (let slot = 0; slot < slots.length; slot += 1) {
        const { cells } = slots[slot];
        for (let at = 0; at < cells.length; at += 1) {
          rowOf[cells[at]] = row;
          slotOf[cells[at]] = slot;
        }
      }
    }
  }

  /** Where a cell stands, or null where a filter or a folded section hides it. */
  at(cell) {
    return this.rowOf[cell] === ABSENT ? null : { row: this.rowOf[cell], slot: this.slotOf[cell] };
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

  #sections() {
    const { groups } = this.view;
    const found = new Map();
    const columns = groups.map((axis) => axis.column);
    let last = null; // cells come in grid order: most belong where the one before did
    for (const cell of this.cells) {
      let same = last !== null;
      for (let at = 0; same && at < columns.length; at += 1) same = columns[at][cell] === last.values[at];
      if (!same) {
        const values = groups.map((axis) => axis.column[cell]);
        const id = values.join(",");
        last = found.get(id) ?? null;
        if (last === null) found.set(id, (last = { id, values, cells: [] }));
      }
      last.cells.push(cell);
    }
    return [...found.values()].sort((one, other) => {
      for (let at = 0; at < one.values.length; at += 1) if (one.values[at] !== other.values[at]) return byRank(one.values[at], other.values[at]);
      return 0;
    });
  }

  #open(section, top) {
    const titled = this.view.groups.length > 0;
    const closed = this.view.folds.has(section.id);
    this.sections.push({ ...section, top, titled, closed, firstRow: this.rows.length, count: this.data.shown(section.cells) });
    return { top: top + (titled ? BAR : GAP), closed };
  }

  #close(top) {
    const section = this.sections.at(-1);
    section.height = top - section.top;
    return top;
  }

  #placeTable(sections) {
    const { x, y } = this.view;
    const along = x ? x.column : null;
    const widths = new Int32Array((x ? x.values.length : 0) + 1); // by value, the absent one last
    for (const cell of this.cells) {
      const value = along === null ? ABSENT : along[cell];
      const at = value === ABSENT ? widths.length - 1 : value;
      const { width } = this.box(cell);
      if (widths[at] < width) widths[at] = width;
    }
    // A number never breaks: its column is wide enough for it, however small the pictures are.
    const least = x?.numeric ? Math.min(120, Math.max(48, x.longest * 8 + 6)) : 48;
    let left = 0;
    const columns = []; // by value, as the widths
    for (let at = 0; at < widths.length; at += 1) {
      if (widths[at] === 0) continue; // no cell has it
      const width = Math.max(least, widths[at]);
      columns[at] = { value: at === widths.length - 1 ? ABSENT : at, left, width, index: this.columns.length };
      this.columns.push(columns[at]);
      left += width + GAP;
    }
    this.width = left;
    let top = 0;
    for (const section of sections) {
      const opened = this.#open(section, top);
      top = opened.closed ? opened.top : this.#tableRows(section, opened.top, columns, x, y) + (this.view.groups.length ? 12 : 0);
      top = this.#close(top);
    }
    this.height = top + GAP;
  }

  #tableRows(section, start, columns, x, y) {
    const [across, down] = [x ? x.column : null, y ? y.column : null];
    const [lastColumn, lastRow] = [x ? x.values.length : 0, y ? y.values.length : 0];
    const rows = []; // by value, the absent one last; in each the slots by column, with gaps
    for (const cell of section.cells) {
      const value = down === null ? ABSENT : down[cell];
      const at = value === ABSENT ? lastRow : value;
      const row = (rows[at] ??= []);
      const other = across === null ? ABSENT : across[cell];
      const column = columns[other === ABSENT ? lastColumn : other];
      const known = row[column.index];
      if (known) known.cells.push(cell);
      else row[column.index] = { left: column.left, width: column.width, column: column.index, cells: [cell] };
    }
    let top = start;
    for (let at = 0; at < rows.length; at += 1) {
      if (rows[at] === undefined) continue;
      const slots = rows[at].filter(Boolean);
      let height = 40;
      for (const slot of slots) {
        slot.cells = this.#stacked(slot.cells);
        for (const cell of slot.cells) height = Math.max(height, this.box(cell).height);
      }
      this.rows.push({ value: at === lastRow ? ABSENT : at, top, height, slots, section: this.sections.length - 1 });
      top += height + GAP;
    }
    return top;
  }

  /** In a stack, pictures lie above what has none. */
  #stacked(cells) {
    return cells.length < 2 ? cells : [...cells.filter((cell) => this.data.state(cell) === "done"), ...cells.filter((cell) => this.data.state(cell) !== "done")];
  }

  #placeWall(sections, room) {
    let top = 0;
    for (const section of sections) {
      const opened = this.#open(section, top);
      top = this.#close(opened.closed ? opened.top : this.#wallRows(section, opened.top, room.width - 2 * GAP));
    }
    this.width = room.width;
    this.height = top + GAP;
  }

  /** Rows of equal height that fill the width, as a wall of prints; the last one keeps its size. */
  #wallRows(section, start, room) {
    const { sort, down, orders } = this.view;
    const sorted = Order.sorted(section.cells, orders.get(sort), down);
    const last = sorted.length - 1;
    let top = start;
    let cells = [];
    let wide = 0; // of the row at height 1
    for (const [index, cell] of sorted.entries()) {
      cells.push(cell);
      wide += this.data.tileAspect(cell);
      const fit = (room - (cells.length - 1) * GAP) / wide;
      if (fit > this.size && index < last) continue;
      const height = Math.round(Math.min(fit, this.size * 1.3, fit > this.size ? this.size : Infinity));
      let left = GAP;
      const slots = cells.map((own, column) => {
        const box = { width: Math.floor(height * this.data.tileAspect(own)), height };
        const slot = { left, width: box.width, column, box, cells: [own] };
        left += box.width + GAP;
        return slot;
      });
      this.rows.push({ value: ABSENT, top, height: height + this.caption, slots, section: this.sections.length - 1 });
      top += height + this.caption + GAP;
      cells = [];
      wide = 0;
    }
    return top;
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

  /** Whether anywhere several lie in one place. */
  get stacked() {
    return this.rows.some(({ slots }) => slots.some(({ cells }) => cells.length > 1));
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
