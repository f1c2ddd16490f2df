// Lines through the grid: along one axis, with all else held.

class Lines {
  constructor({ axes, size }) {
    Object.assign(this, { axes, size });
    this.along = new Map(); // by axis, its lines by what is held; made when one is first asked for
  }

  /** Cells that differ from this one along one axis only, in the order of its values. */
  through(cell, axis) {
    let index = this.along.get(axis);
    if (!index) this.along.set(axis, (index = this.#indexWithout(axis)));
    return [...index.get(this.#place(cell, axis))].sort((one, other) => axis.column[one] - axis.column[other] || one - other);
  }

  #place(cell, without) {
    let place = "";
    for (const axis of this.axes) if (axis !== without) place += `${axis.column[cell]},`;
    return place;
  }

  #indexWithout(axis) {
    const index = new Map();
    for (let cell = 0; cell < this.size; cell += 1) {
      const place = this.#place(cell, axis);
      const known = index.get(place);
      if (known) known.push(cell);
      else index.set(place, [cell]);
    }
    return index;
  }
}
