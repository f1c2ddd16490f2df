// Keys in the grid: from cell to cell, a window on, and into it from a page in which nothing has the focus.

const ENDS = ["Home", "End"];

/** Whether a key is meant for the browser, or for something else: the grid knows Ctrl with Home and End alone. */
const chorded = (event) => event.altKey || event.metaKey || (event.ctrlKey && !ENDS.includes(event.key));

class Cursor {
  constructor(grid) {
    this.grid = grid;
  }

  /** Where keys begin: what has the focus, what was active if one still sees it, or the first in the window. */
  get here() {
    const { root, layout, active, room } = this.grid;
    const focused = document.activeElement?.cell;
    if (focused !== undefined) return focused;
    const top = root.scrollTop - GAP;
    const [first, end] = layout.rowsBetween(top, root.scrollTop + room.height);
    const at = active === null ? null : layout.at(active);
    if (at && at.row >= first && at.row < end) return active;
    const row = layout.rows[layout.rows[first]?.top < top && first + 1 < end ? first + 1 : first];
    return row ? (row.slots.find((slot) => slot.left >= root.scrollLeft - GAP) ?? row.slots.at(-1)).cells[0] : null;
  }

  /** Put the focus into the grid, from wherever it was; `cell` is where, if not where one was. */
  enter(cell = this.here) {
    if (cell === null) this.grid.root.focus({ preventScroll: true });
    else this.grid.focus(cell);
  }

  get first() {
    return this.grid.layout.rows[0]?.slots[0].cells[0] ?? null;
  }

  /** The first or the last of the row; with Ctrl, of all. */
  #end(cell, { key, ctrlKey }) {
    const { rows } = this.grid.layout;
    const [at, row] = key === "Home" ? [0, rows[0]] : [-1, rows.at(-1)];
    return (ctrlKey ? row : rows[this.grid.layout.at(cell).row]).slots.at(at).cells[0];
  }

  /** Tell whether a key was meant for the grid. */
  pressed(event) {
    if (chorded(event) || event.target.closest(".sectionbar")) return false;
    const { grid } = this;
    const cell = this.here;
    if (cell === null) return false;
    const paging = { PageUp: -1, PageDown: 1 };
    const judged = judgedBy(event);
    const { key } = event;
    if ((key in ARROWS || judged) && event.target === document.body && cell !== grid.active) this.enter(cell); // one sees first where one is
    else if (judged) grid.data.judging.judge(document.activeElement?.cell ?? cell, ...judged);
    else if (key in ARROWS) this.#walk(cell, ARROWS[key]);
    else if (ENDS.includes(key)) grid.focus(this.#end(cell, event));
    else if (key === "Enter") grid.open(cell);
    else if (key === " ") this.#unjudged(cell, event.shiftKey ? -1 : 1);
    else if (key === "]" || key === "[") grid.stacks.turn(cell, key === "]" ? 1 : -1);
    else if (key in paging) this.#page(cell, paging[key]);
    else return false;
    event.preventDefault();
    return true;
  }

  #unjudged(cell, way) {
    const next = this.grid.unjudged(cell, way);
    if (next !== null) this.grid.stacks.reach(next);
  }

  #walk(cell, { dx, dy }) {
    const next = this.grid.layout.step(cell, dx, dy);
    if (next !== null) this.grid.focus(next);
  }

  /** A window on, at once: what has the focus stays where it is in the window. */
  #page(cell, way) {
    const { layout, root, room } = this.grid;
    const from = layout.at(cell).row;
    const rows = Math.max(1, Math.floor(room.height / (layout.size + layout.caption + GAP)));
    const to = Math.min(layout.rows.length - 1, Math.max(0, from + way * rows));
    const next = layout.step(cell, 0, to - from);
    root.scrollTop += layout.rows[to].top - layout.rows[from].top;
    this.grid.focus(to === from || next === null ? cell : next);
  }
}
