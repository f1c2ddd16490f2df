// Axes across and down: columns as wide as their widest picture, and in each group the rows that have any.

class Table {
  constructor(layout, along) {
    const { x, y } = layout.view;
    this.layout = layout;
    this.across = x ? x.column : null;
    this.down = y ? y.column : null;
    /** What every picture takes where all have one shape: then nobody asks each of them. */
    this.box = new Set(layout.data.tileAspects).size < 2 && layout.cells.length ? layout.box(layout.cells[0]) : null;
    this.columnOf = []; // by value, the absent one first
    this.width = this.#placeColumns(along);
    // Of the rows of a group, by value with the absent one last: how many cells, how high, which row, where the next cell goes.
    const rows = y ? y.values.length + 1 : 1;
    for (const name of ["many", "high", "number", "next"]) this[name] = new Int32Array(rows);
  }

  /** `along` has a 1 for each value that has a column, the absent one first; it stands last. Gives the width of all. */
  #placeColumns(along) {
    const { layout } = this;
    const { x } = layout.view;
    const widths = this.#widths(along);
    // A number never breaks: its column is wide enough for it, however small the pictures are.
    const least = x?.numeric ? Math.min(120, Math.max(48, x.longest * 8 + 6)) : 48;
    let left = 0;
    for (let at = 1; at <= widths.length; at += 1) {
      const value = at === widths.length ? ABSENT : at - 1;
      if (widths[value + 1] === 0) continue; // no cell has it
      const width = Math.max(least, widths[value + 1]);
      layout.columns.push((this.columnOf[value + 1] = { value, left, width, index: layout.columns.length }));
      left += width + GAP;
    }
    return left;
  }

  /** By value, the absent one first; 0 where no cell has it. */
  #widths(along) {
    const { layout, across, box } = this;
    const widths = Int32Array.from(along, (there) => (there && box ? box.width : 0));
    for (let index = 0; !box && index < layout.cells.length; index += 1) {
      const at = across === null ? 0 : across[layout.cells[index]] + 1;
      widths[at] = Math.max(widths[at], layout.box(layout.cells[index]).width);
    }
    return widths;
  }

  /** The rows of a group's cells, from `start` down; gives where they end. */
  place(cells, start) {
    const { layout, down, box, many, high, number, next } = this;
    const last = many.length - 1;
    const rows = [];
    for (let index = 0; index < cells.length; index += 1) {
      const at = down === null || down[cells[index]] === ABSENT ? last : down[cells[index]];
      if (many[at] === 0) {
        rows.push(at);
        high[at] = Math.max(40, box ? box.height : 0);
      }
      many[at] += 1;
      if (!box) high[at] = Math.max(high[at], layout.box(cells[index]).height);
    }
    let top = start;
    for (const at of rows.sort((one, other) => one - other)) {
      number[at] = layout.rows.length;
      next[at] = layout.addRow(at === last ? ABSENT : at, top, high[at], many[at]);
      many[at] = 0;
      top += high[at] + GAP;
    }
    for (let index = 0; index < cells.length; index += 1) {
      const at = down === null || down[cells[index]] === ABSENT ? last : down[cells[index]];
      layout.order[next[at]] = cells[index];
      layout.rowOf[cells[index]] = number[at];
      next[at] += 1;
    }
    return top + (layout.view.groups.length ? 12 : 0);
  }

  /** What lies in a row, from left to right. */
  slots({ from, to }) {
    const slots = [];
    for (const cell of this.layout.order.subarray(from, to)) {
      const { left, width, index } = this.columnOf[this.across === null ? 0 : this.across[cell] + 1];
      (slots[index] ??= { left, width, column: index, cells: [] }).cells.push(cell);
    }
    const there = slots.filter(Boolean);
    for (const slot of there) slot.cells = this.#stacked(slot.cells);
    return there;
  }

  /** In a stack, pictures lie above what has none. */
  #stacked(cells) {
    const { data } = this.layout;
    return cells.length < 2 ? cells : [...cells.filter((cell) => data.state(cell) === "done"), ...cells.filter((cell) => data.state(cell) !== "done")];
  }
}

/** Which values of an axis these cells have: by value, the absent one first; without an axis, that alone. */
function occupied(axis, cells) {
  const there = new Uint8Array(axis ? axis.values.length + 1 : 1);
  if (!axis) return there.fill(cells.length ? 1 : 0);
  const { column } = axis;
  for (let index = 0; index < cells.length; index += 1) there[column[cells[index]] + 1] = 1;
  return there;
}
