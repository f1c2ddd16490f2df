// Every picture for itself: rows of equal height that fill the width, as a wall of prints.

class Wall {
  constructor(layout, width) {
    Object.assign(this, { layout, width });
  }

  /** The rows of a group's cells in the order that was chosen, from `start` down; the last one keeps its size. Gives where they end. */
  place(cells, start) {
    const { layout } = this;
    const { sort, down, orders } = layout.view;
    const sorted = Order.sorted(cells, orders.get(sort), down);
    const last = sorted.length - 1;
    const room = this.width - 2 * GAP;
    layout.order.set(sorted, layout.rows.at(-1)?.to ?? 0);
    let top = start;
    let begun = 0;
    let wide = 0; // of the row at height 1
    for (let index = 0; index <= last; index += 1) {
      wide += layout.data.tileAspect(sorted[index]);
      layout.rowOf[sorted[index]] = layout.rows.length;
      const fit = (room - (index - begun) * GAP) / wide;
      if (fit > layout.size && index < last) continue;
      const height = Math.round(Math.min(fit, layout.size * 1.3, fit > layout.size ? layout.size : Infinity)) + layout.caption;
      layout.addRow(ABSENT, top, height, index + 1 - begun);
      top += height + GAP;
      begun = index + 1;
      wide = 0;
    }
    return top;
  }

  /** What lies in a row, from left to right. */
  slots({ from, to, height: high }) {
    const { data, order, caption } = this.layout;
    const height = high - caption;
    let left = GAP;
    return Array.from(order.subarray(from, to), (cell, column) => {
      const box = { width: Math.floor(height * data.tileAspect(cell)), height };
      const slot = { left, width: box.width, column, box, cells: [cell] };
      left += box.width + GAP;
      return slot;
    });
  }
}
