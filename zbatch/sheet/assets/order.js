// The order of pictures on the wall.

class Order {
  /** Every order there is to choose: its name in the address, its words, and what a cell is ranked by. */
  static of(data) {
    const made = (cell) => (data.job(cell) === ABSENT ? null : data.jobs.done_at[data.job(cell)]);
    const file = (cell) => (data.job(cell) === ABSENT ? null : data.jobs.file[data.job(cell)]);
    return new Map([
      ["", { words: "as written", rank: null }],
      ...data.varying.map((axis) => [`axis.${axis.name}`, { words: axis.name, rank: (cell) => (axis.column[cell] === ABSENT ? null : axis.numeric ? axis.values[axis.column[cell]] : axis.column[cell]) }]),
      ["made", { words: "time made", rank: made }],
      ["file", { words: "file name", rank: file }],
    ]);
  }

  /** Cells without what they are ranked by come last either way; equals keep their place. */
  static sorted(cells, { rank }, down) {
    if (rank === null) return down ? cells.toReversed() : cells;
    const ranks = new Map(cells.map((cell) => [cell, rank(cell)]));
    return cells.toSorted((one, other) => {
      const [first, second] = [ranks.get(one), ranks.get(other)];
      if (first === second) return one - other;
      if (first === null) return 1;
      if (second === null) return -1;
      return (first < second ? -1 : 1) * (down ? -1 : 1);
    });
  }
}
