// The order of pictures on the wall.

class Order {
  /** Every order there is to choose: its name in the address, its words, the axis or what else a cell is ranked by, what comes first of it either way, and whether it begins with the highest. */
  static of(data) {
    const made = (cell) => (data.job(cell) === ABSENT ? null : data.jobs.done_at[data.job(cell)]);
    const file = (cell) => (data.job(cell) === ABSENT ? null : data.jobs.file[data.job(cell)]);
    const judged = [
      ["rating", { words: "rating", rank: (cell) => data.judging.rating(cell), firsts: ["Worst first", "Best first"], down: true }],
      ["picks", { words: "favourites to rejects", rank: (cell) => data.judging.rank(cell), firsts: ["Rejects first", "Favourites first"], down: true }],
    ];
    return new Map([
      ["", { words: "as written", rank: null, firsts: ["First to last", "Last to first"] }],
      ...data.varying.map((axis) => [`axis.${axis.name}`, { words: axis.name, axis, firsts: axis.numeric ? ["Smallest first", "Largest first"] : ["First value first", "Last value first"] }]),
      ...(data.measured.length ? [["change", { words: data.changeName, rank: (cell) => data.change(cell), firsts: ["Least change first", "Most change first"] }]] : []),
      ...(data.judgeable ? judged : []),
      ["made", { words: "time made", rank: made, firsts: ["Oldest first", "Newest first"] }],
      ["file", { words: "file name", rank: file, firsts: ["A to Z", "Z to A"] }],
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
