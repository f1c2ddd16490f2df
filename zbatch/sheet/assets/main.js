// Puts the page together and keeps it together: one view, one way to change it.

const MOST_TOPS = 500; // names in an address that are looked for
const THEME = "zbatch.theme"; // read by theme.js

class Page {
  constructor(data) {
    this.data = data;
    data.judging = this.judging = new Judging(data, (keys) => this.#judged(keys));
    this.view = new View(data);
    const at = this.view.read(location.hash);
    this.trail = new Trail({ came: () => this.#readAgain(), left: () => (this.blind.on ? this.blind.leave() : this.lightbox.root.close()), inside: () => Boolean(this.box?.root.open || this.blind.on) });
    const change = (act) => this.change(act);
    this.scroller = document.getElementById("scroller");
    this.panel = document.getElementById("panel");
    this.help = document.getElementById("help");
    this.boxRoot = document.getElementById("lightbox");
    this.grid = new Grid(this.scroller, data, { open: (cell) => this.#open(cell), folded: () => this.#folded(), turned: () => this.#remember(this.box?.cell ?? null) });
    this.#readTops();
    this.blind = new Blind(this.judging, { cells: () => this.selection.cells, left: (done) => this.#revealed(done), written: (hash) => this.trail.write(hash) });
    this.chips = new Chips(this.panel, data, this.view, change, () => this.togglePanel());
    this.drawer = new Drawer(this.panel, this.scroller, () => this.togglePanel());
    if (location.hash) this.#readLightbox();
    this.controls = new Controls(data, this.view, {
      change, resize: (size) => this.resize(size), panel: () => this.togglePanel(), theme: () => toggleTheme(), help: () => this.help.showModal(), fold: () => this.foldAll(), picks: () => this.picks.open(),
    });
    new Twins(this.scroller, data);
    new Touch(this.scroller, { size: () => this.grid.layout.size, resize: (size) => this.resize(size) });
    this.paper = new Paper(document.getElementById("paper"), data, this.grid, () => (this.box?.root.open ? this.box : null));
    later.do(() => fillHelp(this.help, data.about));
    addEventListener("keydown", (event) => this.#pressed(event));
    addEventListener("resize", () => { if (this.panel.hidden === this.panelShown) this.refresh({ keep: true }); });
    addEventListener("focus", () => { if (this.selection && !this.blind.on) keepingFocus(() => this.grid.lookAgain(), this.grid); });
    document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); this.grid.cursor.enter(); });
    later.do(() => this.lightbox);
    if (data.judgeable) later.do(() => this.picks);
    const blind = data.judgeable ? Blind.asked(location.hash) : null;
    if (blind) {
      this.selection = select(data, this.view);
      this.blind.enter(blind);
    } else {
      this.refresh();
      later.do(() => rehearse(this));
    }
    later.begin();
    if (!blind) this.#openAt(at);
  }

  get picks() {
    return (this.dialog ??= new PicksDialog(this.judging, { show: (query) => this.change(() => { this.view.query = query; }), blind: () => this.trail.enter(() => this.blind.enter()) }));
  }

  /** Something else is said of images: of these keys, or whatever. Nothing moves for it: marks and numbers are drawn anew. */
  #judged(keys) {
    if (this.blind.on || !this.selection) return;
    const cells = keys?.flatMap((key) => this.data.cellsOf(this.data.jobOfKey(key))) ?? null;
    this.grid.mark(cells);
    this.box?.drawJudged();
    // Of no image: who one is. The field for it is left by a click on a button, which must not be taken away.
    if (this.dialog?.root.open && keys?.length !== 0) this.dialog.draw();
    // Numbers follow what was pressed: who rates fast does not wait for them.
    clearTimeout(this.counting);
    this.counting = setTimeout(() => {
      if (this.blind.on) return;
      keepingFocus(() => this.controls.drawFacts(this.selection), this.grid);
      if (this.panelShown) this.chips.drawMeans();
    }, 60);
  }

  /** Blind mode was left: what is what is to be seen again, and how what was compared or judged came out. */
  #revealed({ axis, judged }) {
    this.refresh({ keep: true });
    this.grid.mark(null);
    this.trail.leave();
    this.grid.cursor.enter();
    if (axis !== null || judged) this.picks.open(axis);
  }

  /** Made when it is first asked for: nobody opens a picture before there is one. */
  get lightbox() {
    return (this.box ??= new Lightbox(this.boxRoot, this.data, {
      moved: (cell) => this.#remember(cell), closed: (cell) => this.#closed(cell), link: () => location.href.replace(/#.*/, "") + this.trail.hash, next: (cell, way) => this.grid.unjudged(cell, way),
    }));
  }

  change(act) {
    act();
    this.refresh();
  }

  refresh({ keep = false } = {}) {
    if (this.blind.on) return; // it is drawn anew when it comes back into the document
    keepingFocus(() => this.#refresh(keep), this.grid);
  }

  #refresh(keep) {
    const shown = this.panelShown;
    this.panel.hidden = !shown;
    this.selection = select(this.data, this.view);
    this.data.chosen?.(this.selection.cells);
    // What stands round the grid comes first: it decides how much room the grid has.
    this.controls.draw(this.selection, shown);
    if (shown) later.do(() => this.chips.draw(this.selection.counts));
    this.grid.show(this.view, this.selection.cells, { keep });
    this.controls.drawSize(this.grid);
    this.controls.drawFolds(this.grid);
    this.sayNothing();
    this.#remember(this.box?.cell ?? null);
  }

  /** A new size only moves things: nothing is counted again. */
  resize(size) {
    this.view.size = Math.round(Math.min(SIZES.most, Math.max(this.controls.size.min, size)));
    this.controls.size.value = this.view.size;
    this.grid.show(this.view, this.selection.cells, { keep: true });
    this.#remember(null);
  }

  foldAll() {
    const { folds } = this.view;
    const { sections } = this.grid.layout;
    if (this.view.groups.length) this.change(() => folds.every(sections.some(({ closed }) => !closed)));
  }

  #folded() {
    this.controls.drawFolds(this.grid);
    this.#remember(this.box?.cell ?? null);
  }

  get panelShown() {
    return this.view.panel ?? (innerWidth >= 1180 && this.data.varying.length > 0);
  }

  togglePanel() {
    this.view.panel = !this.panelShown;
    this.refresh({ keep: true });
  }

  /** In the middle of a page without cells: why there are none, and the way out. */
  sayNothing() {
    const { nothing } = this.grid;
    nothing.hidden = this.selection.cells.length > 0;
    nothing.replaceChildren();
    if (nothing.hidden) return;
    const none = this.data.size === 0;
    nothing.replaceChildren(make("p", { text: none ? "This run has no cells." : "Nothing matches." }),
      ...this.selection.complaints.map((complaint) => this.controls.complaint(complaint)),
      none ? "" : button({ words: "Clear all filters", act: () => this.change(() => this.view.clearFilters()) }));
  }

  // ── the address ──────────────────────────────────────────────────────────────────────────────────────

  #readLightbox() {
    this.lightbox.read(new URLSearchParams(location.hash.replace(/^#/, "")), (name) => cellNamed(this.data, name));
  }

  /** Which pictures lie on top of stacks that were turned. */
  #readTops() {
    const names = new URLSearchParams(location.hash.replace(/^#/, "")).get("top")?.split("_") ?? [];
    this.grid.stacks.tops = new Set(names.slice(0, MOST_TOPS).map((name) => cellNamed(this.data, name)).filter((cell) => cell !== null));
  }

  /** Open the picture that an address names, and say what of it this sheet has not. */
  #openAt(name) {
    const cell = name ? cellNamed(this.data, name) : null;
    if (cell !== null) this.lightbox.open(cell, this.grid.layout);
    const { lost = 0 } = this.box?.compare.pins ?? {};
    const away = [name && cell === null ? "the image" : "", lost ? (lost === 1 ? "a reference" : plural(lost, "reference")) : ""].filter(Boolean).join(" and ");
    if (away) announce(`${away[0].toUpperCase()}${away.slice(1)} of this link ${away.includes(" and ") || lost > 1 ? "are" : "is"} not in this sheet`, { time: 8000 });
  }

  #remember(cell) {
    if (this.blind.on) return; // the address would tell
    const words = this.view.hash;
    const tops = this.grid.stacks.turnedUp;
    if (tops.length) words.set("top", tops.map((own) => cellName(this.data, own)).join("_"));
    if (cell !== null) words.set("at", cellName(this.data, cell));
    this.box?.write(words, (other) => cellName(this.data, other));
    this.trail.write(`#${words}`);
  }

  #open(cell) {
    this.trail.enter(() => this.lightbox.open(cell, this.grid.layout));
  }

  #readAgain() {
    if (this.blind.on) this.blind.leave();
    this.view.reset();
    const at = this.view.read(location.hash);
    if (this.box?.root.open) this.box.dismiss();
    this.#readLightbox();
    this.#readTops();
    this.refresh();
    const blind = this.data.judgeable ? Blind.asked(location.hash) : null;
    if (blind) this.blind.enter(blind);
    else this.#openAt(at);
  }

  /** Esc empties the search first, and leaves it then. */
  #escaped(event) {
    if (event.target === this.controls.search && this.view.query) {
      event.preventDefault();
      this.change(() => { this.view.query = ""; });
    } else event.target.blur();
  }

  /** Out of the search, with the query kept, to what it found. */
  #toFirstHit(event) {
    const { first } = this.grid.cursor;
    if (first === null || event.isComposing) return;
    event.preventDefault();
    this.grid.cursor.enter(first);
  }

  #closed(cell) {
    this.#remember(null);
    this.trail.leave();
    this.grid.lookAgain();
    if (cell !== null) this.grid.stacks.reach(cell);
  }

  /** Where what was undone is to be seen, one is led to it. */
  #undo() {
    const { cell } = this.judging.undo() ?? {};
    if (cell === undefined) return;
    const seen = this.data.twins(cell).find((own) => this.grid.layout.at(own));
    if (seen !== undefined) this.grid.stacks.reach(seen);
  }

  #pressed(event) {
    if (undoes(event) && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      this.#undo();
    }
    if (chorded(event) || document.querySelector("dialog[open]")) return;
    if (event.target.matches("input, select, textarea")) {
      if (event.key === "Escape") this.#escaped(event);
      else if (event.target === this.controls.search && ["Enter", "ArrowDown"].includes(event.key)) this.#toFirstHit(event);
      return;
    }
    // Where nothing has the focus, keys are meant for what the page is for.
    if (event.target === document.body && this.grid.cursor.pressed(event)) return;
    const acts = {
      "/": () => { this.controls.search.focus(); this.controls.search.select(); },
      "?": () => this.help.showModal(),
      s: () => this.change(() => this.view.swap()),
      w: () => this.change(() => this.view.toggleWall()),
      r: () => { if (this.view.wall) this.change(() => { this.view.down = !this.view.down; }); },
      g: () => this.foldAll(),
      v: () => this.togglePanel(),
      ...(this.data.judgeable ? { j: () => this.picks.open() } : {}),
      t: () => toggleTheme(),
      ...(this.drawer.over ? { Escape: () => this.togglePanel() } : {}),
      "+": () => this.resize(this.grid.layout.size * 1.15),
      "=": () => this.resize(this.grid.layout.size * 1.15),
      "-": () => this.resize(this.grid.layout.size / 1.15),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    act();
    event.preventDefault();
  }
}

function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  keep(THEME, root.dataset.theme);
}

/** Says in one word where the pictures come from: nobody should take the built-in endpoint's for the model's. */
function drawEndpoint(tag, { endpoint, endpoint_kind: kind, model, endpoints }) {
  if (endpoints) {
    tag.textContent = visible(endpoints);
    return;
  }
  tag.textContent = kind === "preview" ? "preview" : visible(endpoint.replace(/^https?:\/\//, "").replace(/\/+$/, ""));
  tag.title = visible(kind === "preview" ? `Made by the built-in preview endpoint, not by ${model}` : `Made by ${model} at ${endpoint}`);
}

function start() {
  const raw = globalThis.zbatchSheet;
  const trouble = document.getElementById("trouble");
  if (!raw || raw.format !== FORMAT) {
    trouble.hidden = false;
    trouble.textContent = raw ? "data.js was written by another version of zbatch: zbatch report writes both anew." : "data.js is missing: it must lie beside this page. zbatch report writes it anew.";
    return;
  }
  document.title = visible(raw.about.title);
  document.getElementById("title").textContent = visible(raw.about.title);
  document.getElementById("lede").textContent = visible(raw.about.description);
  const data = new READERS[raw.kind ?? "sheet"](raw);
  drawEndpoint(document.getElementById("endpoint"), data.about);
  const page = new Page(data);
  if (raw.live) new Live(page, document.getElementById("live"));
}

start();
