// The first search, the first wall, the first cell without a picture would take longest: their script runs for the first
// time. So it runs before, while the page has nothing else to do, and what comes of it is thrown away.

const REHEARSED = 20_000; // cells; with more, one might have to wait for it

/** In small parts, each when nobody waits for anything. */
function rehearse({ data, grid: { cells, layout, room } }) {
  if (data.size > REHEARSED) return;
  const view = new View(data);
  const looked = () => new Layout(data, view, select(data, view).cells, room).rows[0]?.slots;
  const acts = [
    () => { view.query = ["a", ...data.varying.slice(0, 2).map(({ short }) => `${short}:1`), "-state:failed"].join(" "); },
    looked,
    () => { view.query = ""; view.state = data.kinds.at(-1); },
    looked,
    () => { view.clearFilters(); view.swap(); },
    looked,
    () => {
      for (const kind of data.kinds.filter((own) => own !== "done")) {
        const cell = cells.find((own) => data.kind(own) === kind);
        if (cell !== undefined) cellElement(data, { cells: [cell] }, 0, layout);
      }
    },
    () => { if (!view.wall) view.toggleWall(); },
    looked,
  ];
  const idly = globalThis.requestIdleCallback ?? setTimeout;
  const next = () => {
    acts.shift()();
    if (acts.length) idly(next);
  };
  idly(next);
}
