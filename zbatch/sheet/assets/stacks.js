// Where several cells lie in one place: which of them one sees, and turning to the next.

class Stacks {
  /** `turned` is told when another one lies on top. */
  constructor(grid, turned) {
    Object.assign(this, { grid, turned });
    this.tops = new Set(); // cells that lie on top of their stacks, where that is not the first
  }

  /** Which cell of a stack lies on top. */
  turnOf(stack) {
    return this.tops.size && stack.length > 1 ? Math.max(0, stack.findIndex((cell) => this.tops.has(cell))) : 0;
  }

  /** The cells that one sees for having turned their stacks. */
  get turnedUp() {
    return [...this.tops].filter((cell) => {
      const stack = this.grid.layout.stack(cell);
      return stack[this.turnOf(stack)] === cell && stack.length > 1;
    });
  }

  /** Lay the next picture of a stack on top. */
  turn(cell, by = 1) {
    const stack = this.grid.layout.stack(cell);
    if (stack.length < 2) return;
    const turn = (this.turnOf(stack) + by + stack.length) % stack.length;
    this.#lay(stack, turn);
    this.grid.element(stack[turn])?.focus({ preventScroll: true });
  }

  #lay(stack, turn) {
    for (const cell of stack) this.tops.delete(cell);
    if (turn > 0) this.tops.add(stack[turn]);
    this.turned();
    this.grid.active = stack[turn];
    this.grid.redraw([stack[turn]]);
  }

  /** Go to a picture, also where it lies deeper in a stack. */
  reach(cell) {
    const stack = this.grid.layout.stack(cell);
    const turn = stack.indexOf(cell);
    if (turn !== this.turnOf(stack)) this.#lay(stack, turn);
    this.grid.focus(cell);
  }
}

/** What tells a cell from the others of its stack, where a text has so many letters of room. */
function toldApart(data, stack, cell, room) {
  const axes = data.axes.filter(({ column }) => stack.some((other) => column[other] !== column[cell]));
  const letters = Math.min(BRIEFLY, Math.max(14, Math.floor(room / axes.length)));
  return axes.map((axis) => {
    const value = axis.column[cell];
    const words = axis.brief(value, letters);
    return value === ABSENT || wantsName(axis) ? `${axis.short}\u00a0${words}` : words;
  }).join(" · ");
}
