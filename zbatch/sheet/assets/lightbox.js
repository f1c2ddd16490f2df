// One picture, large: walk along the axes with the arrows, scrub along one, read everything about it beside it.

const SHORT = 18; // letters of a coordinate that always shows, whatever else there is

class Lightbox {
  constructor(root, data, { moved, closed, link, next }) {
    Object.assign(this, { root, data, moved, closed, next });
    this.cell = null;
    this.wanted = null; // the axis that was scrubbed last
    this.details = true;
    this.missing = new Missing(data);
    const again = () => { if (this.cell !== null) this.go(this.cell); };
    this.pane = new Pane(this.missing, "current", again);
    this.where = make("div", { class: "crumbs" });
    this.place = make("div", { class: "place" });
    this.side = make("aside", { class: "side", "aria-label": "About this image", tabindex: 0 });
    this.copies = new Copies(() => ({ data, cell: this.cell, link }), () => this.toggleDetails());
    this.scrubber = new Scrubber(data, { go: (cell) => this.go(cell), choose: (axis) => this.#choose(axis) });
    this.judge = new JudgeBar((field, value) => data.judging.judge(this.cell, field, value));
    this.ways = Object.values(ARROWS).map(({ way, dx, dy }) =>
      ({ way, dx, dy, element: make("button", { type: "button", class: `way ${way}`, tabindex: -1, onclick: () => this.walk(dx, dy) }) }));
    this.frame = make("div", { class: "frame", role: "group", "aria-label": "Picture", tabindex: -1, autofocus: true });
    this.compare = new Compare(this, again);
    this.frame.append(make("div", { class: "panes" }, this.pane.root),
      this.compare.names.root, this.compare.sameness, this.compare.handle.root, ...this.ways.map(({ element }) => element));
    this.zoom = new Zoom(this.frame, [...this.pane.images, ...this.compare.images], () => this.compare.place());
    root.append(
      make("div", { class: "top" }, this.where, this.place,
        make("span", { class: "waiting" }, this.compare.bar.opener, this.compare.bar.clearer),
        button({ label: "Details (I)", glyph: "info", act: () => this.toggleDetails(), kind: "square quiet" }),
        button({ label: "Close (Esc)", glyph: "close", act: () => root.close(), kind: "square quiet" })),
      make("div", { class: "middle" }, make("div", { class: "stage" }, this.compare.bar.root, this.frame, this.judge.root, this.scrubber.root), this.side),
      make("div", { class: "toast", role: "status" }));
    root.addEventListener("close", () => this.#close());
    root.addEventListener("keydown", (event) => this.#pressed(event));
    root.addEventListener("cancel", (event) => this.#cancelled(event));
    new Swipes(this.frame, {
      free: () => !this.zoom.closer, walk: (dx, dy) => this.walk(dx, dy),
      tapped: () => { if (this.frame.dataset.compare === "blink") this.compare.flip(); },
    });
  }

  open(cell, layout) {
    this.layout = layout;
    this.root.classList.toggle("bare", !this.details);
    if (!this.root.open) this.root.showModal();
    this.compare.goHome();
    this.go(cell);
  }

  /** What an address says of how pictures are looked at here, before one is opened. */
  read(words, cellOf) {
    this.wanted = this.data.byName.get(words.get("strip")) ?? null;
    this.compare.read(words, cellOf);
  }

  write(words, nameOf) {
    if (this.wanted !== null) words.set("strip", this.wanted.name);
    if (this.cell !== null) this.compare.write(words, nameOf);
  }

  go(cell) {
    if (cell !== this.cell) this.missing.forgive(cell);
    this.cell = cell;
    this.frame.dataset.state = this.data.state(cell);
    this.pane.draw(cell, () => this.#lookAhead(cell));
    this.#drawCrumbs();
    this.#drawWays();
    this.#drawStrip();
    this.drawJudged();
    this.compare.draw();
    this.#drawSide();
    this.#keepFocus();
    this.moved(cell);
  }

  /** Jobs went on while the picture is looked at: what is seen of them is drawn anew, the rest stays. */
  renew(layout, cells) {
    if (!this.root.open) return;
    if (layout.at(this.cell)) this.layout = layout;
    if (this.scrubber.cells?.some((cell) => cells.has(cell))) this.scrubber.cells = null;
    const away = this.data.state(this.cell) === "done" && this.missing.has(this.cell);
    if (away) this.missing.forgive(this.cell);
    if (away || cells.has(this.cell)) this.go(this.cell);
    else {
      this.#drawStrip();
      this.#drawWays();
      if (!this.compare.on) return;
      this.compare.draw();
      this.#drawSide();
    }
  }

  /** What the person says of it, and where there are others, what all say together. */
  drawJudged() {
    if (this.cell === null) return;
    const { judging } = this.data;
    this.judge.root.hidden = !this.data.judgeable || this.data.state(this.cell) !== "done";
    const said = judging.said(this.cell);
    const others = (judging.opinion(this.cell)?.judges ?? 0) > (said ? 1 : 0);
    this.judge.draw(said, others ? `all: ${judging.words(this.cell)}` : "");
  }

  /** On to the next picture of which nothing is said. */
  #unjudged(way) {
    const next = this.next(this.cell, way);
    if (next !== null) this.go(next);
  }

  #drawStrip() {
    const lines = linesThrough(this.data, this.layout, this.cell);
    this.scrubber.draw(this.cell, lines, favourite(lines, this.wanted));
  }

  /** What had the focus may be gone or hidden now: without one, keys would lead nowhere. */
  #keepFocus() {
    const focused = document.activeElement;
    if (focused === document.body || !focused.checkVisibility()) this.frame.focus({ preventScroll: true });
  }

  #drawSide() {
    const { side, compare, data, cell } = this;
    const top = side.scrollTop;
    const unfolded = [...side.querySelectorAll("details[open]")].map((details) => details.className);
    this.copies.draw();
    const all = metadataPanel(data, cell);
    if (compare.home) side.replaceChildren(this.copies.root, ...data.panel(cell, differencePanel(data, compare.seen)));
    else if (compare.on) side.replaceChildren(this.copies.root, differencePanel(data, compare.seen), make("details", { class: "rest" }, make("summary", { text: "All about this image" }), all));
    else side.replaceChildren(this.copies.root, all);
    for (const details of side.querySelectorAll("details")) details.open = unfolded.includes(details.className);
    side.scrollTop = top;
  }

  /** A phone's way back leaves comparing first. */
  #cancelled(event) {
    if (event.target !== this.root || !this.compare.on || this.compare.home) return;
    event.preventDefault();
    this.compare.leave();
  }

  walk(dx, dy) {
    const next = this.#step(dx, dy);
    if (next !== null) this.go(next);
  }

  /** Where an arrow leads: of a stack to the picture that differs in nothing else. */
  #step(dx, dy) {
    const { layout, data, cell } = this;
    const first = layout.step(cell, dx, dy);
    if (first === null) return null;
    const moved = dx ? layout.view.x : layout.view.y;
    return layout.stack(first).find((other) => data.varying.every((axis) => axis === moved || axis.column[other] === axis.column[cell])) ?? first;
  }

  /** The next of a stack; else along the first axis that is neither columns nor rows. */
  turn(by) {
    const stack = this.layout.stack(this.cell);
    if (stack.length > 1) {
      this.go(stack.at((stack.indexOf(this.cell) + by) % stack.length));
      return;
    }
    const line = this.#thirdLine();
    const next = line?.cells[line.cells.indexOf(this.cell) + by];
    if (next !== undefined) this.go(next);
  }

  #thirdLine() {
    const { x, y } = this.layout.view;
    return linesThrough(this.data, this.layout, this.cell).find(({ axis }) => axis !== x && axis !== y);
  }

  toggleDetails() {
    this.details = !this.details;
    this.root.classList.toggle("bare", !this.details);
    this.#keepFocus();
  }

  #choose(axis) {
    this.wanted = axis;
    this.go(this.cell);
  }

  #lookAhead(cell) {
    if (this.data.small) return;
    this.ahead = this.ways
      .map(({ dx, dy }) => this.#step(dx, dy))
      .filter((next) => next !== null && this.data.state(next) === "done")
      .map((next) => Object.assign(new Image(), { src: this.data.picture(next) }));
  }

  #drawCrumbs() {
    const { data, cell, layout } = this;
    const pairs = data.coordinates(cell).filter(([axis]) => axis.varies);
    this.where.replaceChildren(...pairs.map(([axis, value]) => {
      const crumb = pair(axis, value, axis.brief(value, 48));
      crumb.classList.toggle("long", axis.label(value).length > SHORT);
      return crumb;
    }));
    const stack = layout.stack(cell);
    const alone = data.small && data.state(cell) === "done";
    this.place.textContent = [stack.length > 1 ? `${stack.indexOf(cell) + 1} of ${stack.length} in this cell` : "", alone ? "thumbnail" : ""].filter(Boolean).join(" · ");
  }

  /** Each edge says where its arrow leads. */
  #drawWays() {
    const { x, y } = this.layout.view;
    for (const { way, dx, dy, element } of this.ways) {
      const next = this.#step(dx, dy);
      element.hidden = next === null;
      if (next === null) continue;
      const axis = dx ? x : y;
      // Over the edge of a group more changes than the row: what does is said, too.
      const changed = this.data.varying.filter((other) => other === axis || (axis && other.column[next] !== other.column[this.cell]));
      const words = changed.map((other) => other.brief(other.column[next], changed.length > 1 ? 16 : 24));
      element.replaceChildren(icon(way), make("span", { dir: "auto", text: words.join(" · ") }));
      element.setAttribute("aria-label", visible(`${way}: ${changed.map((other, at) => `${other.short} ${words[at]}`).join(", ") || "next image"}`));
    }
  }

  #pressed(event) {
    if (undoes(event)) {
      const step = this.data.judging.undo();
      if (step?.cell !== undefined && step.cell !== this.cell && this.layout.at(step.cell)) this.go(step.cell);
      event.preventDefault();
    }
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    // The strip's slider has left and right for itself: up and down walk the rows, there as everywhere.
    const sideways = event.target.matches("input") && ["ArrowUp", "ArrowDown"].includes(event.key);
    const typing = event.target.matches("input, select") && !sideways;
    const scrolling = this.side.contains(event.target) && ["ArrowUp", "ArrowDown"].includes(event.key);
    if (!event.target.matches("select") && this.copies.pressed(event.key)) { /* Y, or the letter after it */ }
    else if (!event.target.matches("select") && compareKey(this.compare, event)) { /* it steered the comparison */ }
    else if (judgedBy(event) && !event.target.matches("select")) this.data.judging.judge(this.cell, ...judgedBy(event));
    else if (event.key === " " && !event.target.closest("button, input, select, summary, a")) this.#unjudged(event.shiftKey ? -1 : 1);
    else if (event.key === "?") document.getElementById("help").showModal();
    else if (event.key in ARROWS && !typing && !scrolling) this.walk(ARROWS[event.key].dx, ARROWS[event.key].dy);
    else if (event.key === "[") this.turn(-1);
    else if (event.key === "]") this.turn(1);
    else if (event.key.toLowerCase() === "i" && !typing) this.toggleDetails();
    else if (!this.zoom.pressed(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Close it for another view, or other data: nobody goes back to what was looked at. */
  dismiss() {
    this.cell = null;
    this.pane.empty();
    this.root.close();
  }

  #close() {
    if (this.root.open) return; // the event comes late: another link was followed meanwhile
    const { cell } = this;
    this.compare.close();
    this.copies.waiting = false;
    hush();
    this.cell = null;
    this.zoom.reset();
    this.pane.empty();
    this.closed(cell);
  }
}
