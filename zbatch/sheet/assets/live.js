// An open page fills while the run goes on: it reads small scripts that `zbatch report --watch` puts into live/,
// for a page from disk may read nothing else. Only what changed is drawn anew; whatever is looked at stays.

const PATIENCE = 40e3; // of a silent watcher, in milliseconds; it is heard every ten seconds
const [OFTEN, SELDOM] = [1000, 5000];

/** Put what a part brings into the columns; gives the cells that show it. */
function takePart(data, { at, jobs, strings, shapes, verdicts }) {
  data.strings.push(...strings);
  data.raw.shapes.push(...shapes);
  data.raw.verdicts.push(...verdicts);
  const cells = at.flatMap((job) => data.cellsOf(job));
  const before = cells.map((cell) => data.aspect(cell));
  for (const [name, values] of Object.entries(jobs)) data.jobs.put(name, at, values);
  data.renew(cells);
  if (cells.some((cell, index) => data.aspect(cell) !== before[index])) data.reshaped = true;
  return cells;
}

/** Take the whole data over; gives the cells that changed, or `null` where it is another grid. */
function adopt(data, raw) {
  const old = data.raw;
  const grid = ({ axes, jobs, cells }) => JSON.stringify([axes, jobs.key, cells.job, cells.coordinates]);
  if (grid(old) !== grid(raw)) return null;
  const fresh = new Dataset(raw);
  const seen = (of, job) => [of.jobs.state[job], of.jobs.sha256[job], of.text(of.jobs.reason[job]), of.text(of.jobs.message[job])].join("\n");
  const changed = new Set();
  for (let job = 0; job < data.jobs.count; job += 1) {
    const cells = data.cellsOf(job);
    if (data.aspect(cells[0]) !== fresh.aspect(cells[0])) data.reshaped = true;
    if (seen(data, job) !== seen(fresh, job)) for (const cell of cells) changed.add(cell);
  }
  for (const axis of data.axes) delete axis.changes;
  Object.assign(data, { raw, about: raw.about, jobs: fresh.jobs, strings: raw.strings, stateOf: fresh.stateOf, shapeOf: fresh.shapeOf, rules: null, whole: null });
  return changed;
}

class Live {
  constructor(page, mark) {
    Object.assign(this, { page, mark, ...page.data.raw.live });
    this.reads = 0;
    this.heard = -Infinity;
    mark.hidden = false;
    mark.append(make("i", { class: "beat" }), (this.words = make("span", { text: "live" })));
    document.addEventListener("visibilitychange", () => { if (!document.hidden && this.idle) this.#listen(); });
    this.#listen();
  }

  async #listen() {
    clearTimeout(this.timer);
    this.idle = document.hidden;
    if (this.idle) return; // nobody looks: it catches up once somebody does
    const started = performance.now();
    const pulse = await this.#read("live/pulse.js", "zbatchPulse");
    if (pulse) await this.#follow(pulse);
    const silent = this.#draw(pulse ?? this.pulse);
    if (this.over) return;
    // A tenth of the time at most goes into drawing what is new.
    this.timer = setTimeout(() => this.#listen(), silent ? SELDOM : Math.max(OFTEN, 10 * (performance.now() - started)));
  }

  async #follow(pulse) {
    if (this.pulse?.beat === pulse.beat && this.pulse.session === pulse.session) return;
    // The first pulse may be one that a watcher left long ago.
    if (this.pulse || Date.now() - Date.parse(pulse.at) < PATIENCE) this.heard = performance.now();
    const behind = pulse.session !== this.session || (this.part < pulse.part && this.part + 1 < pulse.oldest);
    const before = this.part;
    const changed = behind ? await this.#readAll(pulse) : await this.#readParts(pulse.part);
    if (changed === null) return; // taken away just now: the next pulse says how to go on
    this.pulse = pulse;
    this.over = pulse.state === "ended" || pulse.state === "stopped";
    if (changed.size || before !== this.part) this.#show(changed);
  }

  /** Scripts that follow one another; `null` where one of them is not there. */
  async #readParts(last) {
    const changed = new Set();
    while (this.part < last) {
      const part = await this.#read(`live/${this.part + 1}.js`, "zbatchPart");
      if (part?.session !== this.session) return null;
      takePart(this.page.data, part).forEach((cell) => changed.add(cell));
      this.part += 1;
    }
    return changed;
  }

  async #readAll(pulse) {
    const raw = await this.#read("data.js", "zbatchSheet");
    if (!raw || raw.format !== FORMAT) return null;
    this.session = raw.live?.session ?? pulse.session;
    this.part = raw.live?.part ?? pulse.part;
    const changed = adopt(this.page.data, raw);
    this.page.view.orders = Order.of(this.page.data); // what pictures are ranked by may be known by now
    return changed ?? this.#begin(raw);
  }

  /** Another grid: the view is kept as far as its axes are still there. */
  #begin(raw) {
    const { page } = this;
    const { hash } = page.view;
    if (page.box?.root.open) page.box.dismiss();
    Object.assign(page.data, new Dataset(raw), { lines: undefined });
    page.grid.clear();
    page.view.orders = Order.of(page.data);
    page.view.reset();
    page.view.read(`#${hash}`);
    page.refresh({ keep: true });
    return new Set();
  }

  #show(cells) {
    const { grid } = this.page;
    keepingFocus(() => {
      const focused = document.activeElement?.cell;
      this.#redraw(cells);
      grid.lookAgain();
      // As long as the window shows it, nothing scrolls for the sake of what has the focus.
      if (focused !== undefined) grid.element(focused)?.focus({ preventScroll: true });
    }, grid);
  }

  #redraw(cells) {
    const { page } = this;
    const { grid, data, view } = page;
    const before = page.selection.cells;
    page.selection = select(data, view);
    const { cells: after } = page.selection;
    page.controls.drawFacts(page.selection);
    const same = before.length === after.length && before.every((cell, index) => cell === after[index]);
    const moves = grid.layout.wall && view.sort === "made";
    if (same && !moves && !data.reshaped && ![...cells].some((cell) => grid.layout.stack(cell).length > 1)) grid.redraw(cells);
    else {
      if (page.panelShown) page.chips.draw(page.selection.counts);
      for (const cell of cells) grid.forget(cell);
      this.#relayout(grid, view, after);
      page.sayNothing();
    }
    data.reshaped = false;
    for (const cell of cells) grid.element(cell)?.classList.add("fresh");
    page.lightbox.renew(grid.layout, cells);
  }

  /** What is at the top of the window stays there, whatever came above it. */
  #relayout(grid, view, cells) {
    const { root } = grid;
    const first = grid.layout.rows[grid.layout.rowsBetween(root.scrollTop, Infinity)[0]];
    const anchor = first?.slots[0]?.cells[0];
    const offset = first ? first.top - root.scrollTop : 0;
    const left = root.scrollLeft;
    grid.show(view, cells, { keep: true });
    const at = anchor === undefined || root.scrollTop + offset <= 0 ? null : grid.layout.at(anchor);
    if (at) root.scrollTop = grid.layout.rows[at.row].top - offset;
    root.scrollLeft = left;
    grid.render();
  }

  /** A quiet word beside the title. Gives whether nothing was heard for a while. */
  #draw(pulse) {
    const silent = !this.over && performance.now() - this.heard > PATIENCE;
    const state = silent || !pulse ? "silent" : pulse.state;
    const done = pulse ? `, ${count(pulse.done)} of ${plural(pulse.total, "job")} done` : "";
    const since = pulse ? ` since ${new Date(pulse.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}` : "";
    const words = { running: "live", waiting: "waiting for the run", ended: "the run ended", stopped: "no longer watched", silent: `nothing heard${since}` }[state];
    this.mark.dataset.state = state;
    if (this.words.textContent !== words + done) this.words.textContent = words + done;
    this.mark.title = { silent: "zbatch report --watch has stopped or this is a copy; it goes on once that does", stopped: "zbatch report --watch goes on with it" }[state] ?? "";
    if (this.over) announce(words + done);
    return silent;
  }

  /** Run a script beside the page and give what it assigned; `null` where it is not there. */
  #read(path, name) {
    this.reads += 1;
    return new Promise((resolve) => {
      const done = (value) => {
        script.remove();
        delete globalThis[name];
        resolve(value);
      };
      const script = make("script", { src: `${path}?${this.reads}`, onload: () => done(globalThis[name] ?? null), onerror: () => done(null) });
      document.head.append(script);
    });
  }
}
