// The order of pictures on the wall.

class Order {
  /** Every order there is to choose: its name in the address, its words, and the axis or what else a cell is ranked by. */
  static of(data) {
    const made = (cell) => (data.job(cell) === ABSENT ? null : data.jobs.done_at[data.job(cell)]);
    const file = (cell) => (data.job(cell) === ABSENT ? null : data.jobs.file[data.job(cell)]);
    return new Map([
      ["", { words: "as written", rank: null }],
      ...data.varying.map((axis) => [`axis.${axis.name}`, { words: axis.name, axis }]),
      ...(data.measured.length ? [["change", { words: data.changeName, rank: (cell) => data.change(cell) }]] : []),
      ...(data.judgeable ? [["rating", { words: "rating", rank: (cell) => data.judging.rating(cell) }], ["picks", { words: "rejects to favourites", rank: (cell) => data.judging.rank(cell) }]] : []),
      ["made", { words: "time made", rank: made }],
      ["file", { words: "file name", rank: file }],
    ]);
  }

  /** Cells without what they are ranked by come last either way; equals keep their place. */
  static sorted(cells, { axis, rank }, down) {
    if (axis) return byColumn(cells, axis, down);
    if (rank === null) return down ? cells.toReversed() : cells;
    const [ranked, without] = [[], []];
    for (const cell of cells) {
      const own = rank(cell);
      if (own === null) without.push(cell);
      else ranked.push([own, cell]);
    }
    const way = down ? -1 : 1;
    ranked.sort(([one], [other]) => (one === other ? 0 : one < other ? -way : way));
    return [...ranked.map(([, cell]) => cell), ...without];
  }
}

/** The values of an axis are in order already: the cells are dealt out. */
function byColumn(cells, { column, values }, down) {
  const heaps = values.map(() => []);
  const without = [];
  for (const cell of cells) (column[cell] === ABSENT ? without : heaps[column[cell]]).push(cell);
  return [...(down ? heaps.toReversed() : heaps), without].flat();
}
