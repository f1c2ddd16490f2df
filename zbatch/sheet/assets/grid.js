// The grid: only what the window shows exists in the page, in both directions. Headers stick to two edges.

const HURRY = 0.008; // windows a millisecond: faster than this nobody sees a picture

class Grid {
  constructor(root, data, { open, folded, turned }) {
    Object.assign(this, { root, data, open, folded });
    this.surface = new Surface(root);
    this.last = { top: 0, at: 0 }; // where the window was, and when
    this.fastUntil = 0;
    this.active = null;
    this.cursor = new Cursor(this);
    this.stacks = new Stacks(this, turned);
    const layer = (name) => make("div", { class: name });
    this.layers = { corner: layer("corner"), columns: layer("columns"), rows: layer("rows"), cells: layer("cells"), sections: layer("sections") };
    // The lines have the names of the rows: these stand in a layer of their own, outside them.
    for (const name of ["corner", "rows"]) this.layers[name].setAttribute("aria-hidden", "true");
    this.plane = make("div", { class: "plane", "aria-label": "Images" }, ...Object.values(this.layers));
    this.nothing = make("div", { class: "nothing", hidden: true });
    root.append(this.plane, this.nothing);
    root.addEventListener("scroll", () => this.render(), { passive: true });
    root.addEventListener("click", (event) => this.#clicked(event));
    root.addEventListener("keydown", (event) => this.cursor.pressed(event));
    new ResizeObserver(() => this.#resized()).observe(root);
  }

  /** Lay out the cells that passed the filters; `keep` keeps the place that is looked at. */
  show(view, cells, { keep = false } = {}) {
    const share = keep && this.layout ? this.root.scrollTop / Math.max(1, this.layout.height) : 0;
    this.view = view;
    this.cells = cells;
    this.#measure();
    this.layout = new Layout(this.data, view, cells, this.room);
    this.surface.renew();
    const { style } = this.plane;
    style.setProperty("--rowhead", `${this.rowhead}px`);
    style.setProperty("--flush", view.y ? "" : `${this.rowhead}px`); // without row heads, titles begin where pictures do
    style.setProperty("--colhead", `${this.colhead}px`);
    style.setProperty("--view", `${this.wide}px`);
    style.width = `${this.rowhead + this.layout.width}px`;
    style.height = `${this.colhead + this.layout.height}px`;
    this.root.classList.toggle("wall", this.layout.wall);
    this.#describe();
    this.layers.corner.replaceChildren(...cornerWords(view));
    this.root.scrollTop = share * this.layout.height;
    if (!keep) this.root.scrollLeft = 0;
    this.render();
  }

  /** Only what the window shows is in the page: how much there is, a screen reader is told in numbers. */
  #describe() {
    const { plane, layers, layout, view } = this;
    plane.role = layout.lines > 0 ? "grid" : null;
    plane.ariaRowCount = layout.lines > 0 ? String(layout.lines) : null;
    plane.ariaColCount = layout.wall || !layout.lines ? null : String(layout.columns.length);
    layers.columns.role = view.x && layout.columns.length ? "row" : null;
    layers.columns.ariaRowIndex = layers.columns.role && "1";
  }

  #measure() {
    const { clientWidth, clientHeight } = this.root;
    this.wide = clientWidth;
    Object.assign(this, headSizes(this.view, this.root));
    this.room = { width: clientWidth - this.rowhead * (this.view.wall ? 2 : 1), height: clientHeight - this.colhead };
  }

  #resized() {
    if (!this.layout || !this.root.isConnected) return;
    const before = this.room;
    this.#measure();
    // A scrollbar that comes or goes along the bottom is no reason to move anything.
    if (before.width === this.room.width && Math.abs(before.height - this.room.height) < 24) this.render();
    else this.show(this.view, this.cells, { keep: true });
  }

  /** Forget everything that is drawn: it is of other data. */
  clear() {
    this.surface.clear();
    this.stacks.tops.clear();
    this.active = null;
  }

  // ── drawing what the window shows ────────────────────────────────────────────────────────────────────

  render() {
    const { layout, root } = this;
    this.#hurry();
    const margin = Math.round(layout.size * 0.5);
    const top = root.scrollTop - margin;
    const bottom = root.scrollTop + this.room.height + margin;
    const left = root.scrollLeft - margin;
    const right = root.scrollLeft + this.room.width + margin;
    const wanted = new Map();
    const { cells: body, columns, rows, sections } = this.layers;
    const [first, last] = layout.rowsBetween(top, bottom);
    for (let index = first; index < last; index += 1) {
      const row = layout.rows[index];
      wanted.set(`line ${index}`, { into: body, draw: (old) => this.#line(row, index, old) });
      if (this.view.y) wanted.set(`row ${index}`, { into: rows, draw: (old) => this.#rowHead(row, old) });
      const start = firstWhere(row.slots, (slot) => slot.left + slot.width > left);
      for (let at = start; at < row.slots.length && row.slots[at].left < right; at += 1) {
        const slot = row.slots[at];
        wanted.set(`cell ${slot.cells[0]}`, { into: `line ${index}`, draw: (old) => this.#cell(row, slot, old) });
      }
    }
    if (this.view.x) {
      const start = firstWhere(layout.columns, (column) => column.left + column.width > left);
      for (let at = start; at < layout.columns.length && layout.columns[at].left < right; at += 1) {
        wanted.set(`column ${at}`, { into: columns, draw: (old) => this.#columnHead(layout.columns[at], old) });
      }
    }
    const from = firstWhere(layout.sections, (section) => section.top + section.height > top);
    for (let at = from; at < layout.sections.length && layout.sections[at].top < bottom; at += 1) {
      if (layout.sections[at].titled) wanted.set(`section ${at}`, { into: sections, draw: () => this.#section(layout.sections[at], at) });
    }
    this.#replace(wanted);
  }

  /** Where thousands fly past, each would be drawn, read and decoded for nothing: until then they are blank. */
  #hurry() {
    const { scrollTop: top } = this.root;
    const now = performance.now();
    if (Math.abs(top - this.last.top) > HURRY * Math.max(1, this.room.height) * (now - this.last.at)) this.fastUntil = now + 80;
    this.last = { top, at: now };
    clearTimeout(this.timer);
    this.fast = now < this.fastUntil;
    if (this.fast) this.timer = setTimeout(() => this.render(), this.fastUntil - now + 1);
  }

  #replace(wanted) {
    const focused = this.surface.show(wanted, this.fast);
    // It may have been moved, drawn anew, or come back into the window.
    if (focused !== undefined && [this.root, document.body].includes(document.activeElement)) this.element(focused)?.focus({ preventScroll: true });
    this.#markActive();
  }

  /** The row that a screen reader finds the cells in: nothing to see, in its place among the others. */
  #line(row, index, old) {
    const { y } = this.view;
    const element = old ?? make("div", { class: "line", role: "row" });
    element.ariaRowIndex = String(this.layout.lineOfRow(index));
    element.ariaLabel = y ? hint(`${y.short} ${y.brief(row.value, 80)}`) : null;
    return element;
  }

  #cell(row, slot, old) {
    const turn = this.stacks.turnOf(slot.cells);
    const cell = slot.cells[turn % slot.cells.length];
    const box = slot.box ?? this.layout.box(cell);
    const blank = this.fast && cell !== this.active;
    const element = blank ? blankElement(cell, box) : cellElement(this.data, slot, turn, this.layout, old);
    const height = row.height - this.layout.caption;
    const left = slot.left + Math.round((slot.width - box.width) / 2);
    const top = row.top + (this.layout.wall ? height - box.height : Math.round((height - box.height) / 2));
    if (!blank) caption(element, this.layout.captions?.lines(cell, box.width) ?? "");
    element.ariaColIndex = String(slot.column + 1);
    return stand(element, left, top);
  }

  #rowHead(row, old) {
    const look = `${this.view.y.index} ${row.value} ${row.height} ${this.rowhead}`;
    const element = old?.look === look ? old : Object.assign(rowHead(this.view.y, row, this.rowhead), { look });
    return stand(element, 0, row.top, undefined, row.height);
  }

  #columnHead(column, old) {
    const look = `${this.view.x.index} ${column.value} ${column.width} ${column.index} ${this.colhead}`;
    const element = old?.look === look ? old : Object.assign(columnHead(this.view.x, column, this.colhead), { look });
    return stand(element, column.left, 0, column.width);
  }

  #section(section, at) {
    const element = groupHead(this.view.groups, section, { width: this.wide, line: this.layout.lineOfSection(at), toggle: () => this.#toggle(section) });
    // Not by a transform: what sticks inside would not know of it.
    element.style.top = `${section.top}px`;
    element.style.height = `${section.height}px`;
    return element;
  }

  #toggle(section) {
    this.view.folds.toggle(section.id);
    const { scrollTop } = this.root;
    keepingFocus(() => {
      this.show(this.view, this.cells, { keep: true });
      this.root.scrollTop = Math.min(scrollTop, Math.max(section.top, 0));
      this.render();
      this.folded();
    }, this);
  }

  /** Draw these cells anew where they stand, and leave everything else alone. */
  redraw(cells) {
    for (const cell of cells) this.forget(cell);
    this.render();
  }

  /** Files that were away may be back. */
  lookAgain() {
    const away = [...this.layers.cells.querySelectorAll('.cell[data-state="missing"]')].map(({ cell }) => cell);
    if (away.length) this.redraw(away);
  }

  /** Draw anew what is said of these cells, of all where none are named; nothing else changes. */
  mark(cells) {
    this.surface.change();
    const wanted = cells && new Set(cells);
    for (const element of this.layers.cells.querySelectorAll(".cell")) if (!element.blank && (!wanted || wanted.has(element.cell))) markElement(this.data, element, this.layout.stack(element.cell).length);
  }

  /** The next picture, as they lie, of which nothing is said yet; from the first again after the last. `null` where there is none. */
  unjudged(cell, way = 1) {
    const { data } = this;
    if (!data.judgeable) return null;
    const all = this.layout.rows.flatMap(({ slots }) => slots.flatMap((slot) => slot.cells));
    const from = all.indexOf(cell);
    for (let step = 1; step <= all.length; step += 1) {
      const next = all[(((from + way * step) % all.length) + all.length) % all.length];
      if (data.state(next) === "done" && !data.judging.said(next)) return next;
    }
    announce(all.some((other) => data.state(other) === "done") ? "Every picture here is judged" : "There are no pictures here to judge");
    return null;
  }

  // ── which cell is the active one ─────────────────────────────────────────────────────────────────────

  element(cell) {
    return this.surface.get(this.#idOf(cell));
  }

  #idOf(cell) {
    return `cell ${this.layout.stack(cell)[0]}`;
  }

  /** Take what is drawn of a cell out of the page: the next `render` draws it anew. */
  forget(cell) {
    this.surface.forget(this.#idOf(cell));
  }

  #markActive() {
    const cells = this.layers.cells.querySelectorAll(".cell");
    const [first] = cells;
    const active = (this.active !== null && this.element(this.active)) || first;
    for (const element of cells) element.tabIndex = element === active ? 0 : -1;
  }

  /** Bring a cell into the window and put the focus on it. */
  focus(cell) {
    const at = this.layout.at(cell);
    if (!at) return;
    this.active = cell;
    const row = this.layout.rows[at.row];
    const slot = row.slots[at.slot];
    const above = row.top - (this.view.groups.length ? BAR : GAP);
    const { root } = this;
    if (above < root.scrollTop) root.scrollTop = above;
    else if (row.top + row.height + GAP > root.scrollTop + this.room.height) root.scrollTop = row.top + row.height + GAP - this.room.height;
    if (slot.left < root.scrollLeft) root.scrollLeft = slot.left - GAP;
    else if (slot.left + slot.width + GAP > root.scrollLeft + this.room.width) root.scrollLeft = slot.left + slot.width + GAP - this.room.width;
    // One leap is no hurry, but one after the other is.
    if (performance.now() - this.last.at > 120) this.last.top = root.scrollTop;
    this.render();
    this.element(cell)?.focus({ preventScroll: true });
  }

  #clicked(event) {
    const element = event.target.closest(".cell");
    if (!element) return;
    this.active = element.cell;
    this.open(element.cell);
  }
}

/** Where an element stands, and how large it is where that is not its own affair: in pixels. */
function stand(element, left, top, width, height) {
  element.style.transform = `translate(${left}px, ${top}px)`;
  if (width !== undefined) element.style.width = `${width}px`;
  if (height !== undefined) element.style.height = `${height}px`;
  return element;
}
