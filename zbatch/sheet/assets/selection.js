// What the filters leave: the cells, and how many each chip and each state has.

/** Which cells pass the filters, and for each value of each axis how many would if that axis had no filter. */
function select(data, view) {
  const query = new Query(view.query, data);
  const filters = data.varying.map((axis) => new Filter(axis, view.hides(axis)));
  const active = filters.filter(({ hides }) => hides);
  const free = filters.filter(({ hides }) => !hides);
  const wanted = view.state === null ? ABSENT : data.states.indexOf(view.state);
  const excluded = data.states.indexOf("excluded");
  const { stateOf } = data;
  const states = new Uint32Array(data.states.length);
  const cells = [];
  for (let cell = 0; cell < data.size; cell += 1) {
    if (!query.empty && !query.accepts(cell)) continue;
    let against = null;
    let more = false;
    for (const filter of active) {
      if (filter.hidden[filter.column[cell] + 1] === 0) continue;
      more = against !== null;
      if (more) break;
      against = filter;
    }
    if (more) continue;
    const state = stateOf[cell];
    if (against === null) states[state] += 1;
    if (wanted !== ABSENT && wanted !== state) continue;
    if (against !== null) {
      against.add(cell, state === excluded);
      continue;
    }
    cells.push(cell);
    for (const filter of active) filter.add(cell, state === excluded);
  }
  let counted = null;
  // They are told of apart, and counted where they are what is asked for, or all there is.
  const apart = view.state === "excluded" || (cells.length > 0 && data.shown(cells) === 0);
  const selection = {
    cells,
    states: new Map(data.states.map((state, number) => [state, states[number]]).filter(([, number]) => number > 0)),
    complaints: query.complaints,
    /** By axis and value; counted when it is first asked for, as nothing in the grid waits for it. */
    get counts() {
      if (counted === null) for (const filter of free) for (let at = 0; at < cells.length; at += 1) filter.add(cells[at], stateOf[cells[at]] === excluded);
      return (counted ??= new Map(filters.map((filter) => [filter.axis, filter.counted(apart)])));
    },
  };
  if (!view.filtered) data.whole = selection;
  return selection;
}

/** What there is without any filter: numbers have room for it, so that none loses its place while one types. */
const wholeOf = (data) => data.whole ?? select(data, new View(data));

/** What is hidden along one axis, and the count of each of its values; both begin with the absent value. */
class Filter {
  constructor(axis, hidden) {
    Object.assign(this, { axis, column: axis.column });
    this.hides = hidden.size > 0;
    this.hidden = new Uint8Array(axis.values.length + 1);
    for (const value of hidden) this.hidden[value + 1] = 1;
    this.counts = new Uint32Array(axis.values.length + 1);
    this.excluded = new Uint32Array(axis.values.length + 1);
  }

  add(cell, excluded) {
    (excluded ? this.excluded : this.counts)[this.column[cell] + 1] += 1;
  }

  counted(excluded) {
    return new Map(Array.from(excluded ? this.excluded : this.counts, (number, value) => [value - 1, number]));
  }
}
