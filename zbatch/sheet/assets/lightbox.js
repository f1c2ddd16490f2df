// One picture, large: walk along the axes with the arrows, scrub along one, read everything about it beside it.

class Lightbox {
  constructor(root, data, { moved, closed }) {
    Object.assign(this, { root, data, moved, closed });
    this.cell = null;
    this.wanted = null; // the axis that was scrubbed last
    this.details = true;
    this.under = make("img", { class: "under", alt: "" });
    this.image = make("img", { class: "original", alt: "" });
    this.note = make("div", { class: "note" });
    this.where = make("div", { class: "crumbs" });
    this.place = make("div", { class: "place" });
    this.side = make("aside", { class: "side", "aria-label": "About this image", tabindex: 0 });
    this.scrubber = new Scrubber(data, { go: (cell) => this.go(cell), choose: (axis) => this.#choose(axis) });
    this.ways = Object.fromEntries([["left", -1, 0], ["right", 1, 0], ["up", 0, -1], ["down", 0, 1]].map(([name, dx, dy]) =>
      [name, { dx, dy, element: make("button", { type: "button", class: `way ${name}`, tabindex: -1, onclick: () => this.walk(dx, dy) }) }]));
    this.frame = make("div", { class: "frame" }, this.under, this.image, this.note, ...Object.values(this.ways).map((way) => way.element));
    this.zoom = new Zoom(this.frame, [this.under, this.image]);
    root.append(
      make("div", { class: "top" }, this.where, this.place,
        button({ label: "Details (I)", glyph: "info", act: () => this.toggleDetails(), kind: "square quiet" }),
        button({ label: "Close (Esc)", glyph: "close", act: () => root.close(), kind: "square quiet", autofocus: true })),
      make("div", { class: "middle" }, make("div", { class: "stage" }, this.frame, this.scrubber.root), this.side),
      make("div", { class: "toast", role: "status" }));
    root.addEventListener("close", () => this.#close());
    root.addEventListener("keydown", (event) => this.#pressed(event));
    this.#listenForSwipes();
  }

  open(cell, layout) {
    this.layout = layout;
    this.root.classList.toggle("bare", !this.details);
    if (!this.root.open) this.root.showModal();
    this.go(cell);
  }

  go(cell) {
    this.cell = cell;
    this.#drawPicture();
    this.#drawCrumbs();
    this.#drawWays();
    const lines = linesThrough(this.data, this.layout, cell);
    this.scrubber.draw(cell, lines, favourite(lines, this.wanted));
    const top = this.side.scrollTop;
    this.side.replaceChildren(metadataPanel(this.data, cell));
    this.side.scrollTop = top;
    this.moved(cell);
  }

  /** Jobs went on while the picture is looked at: what is seen of them is drawn anew, the rest stays. */
  renew(layout, cells) {
    if (!this.root.open) return;
    if (layout.at(this.cell)) this.layout = layout;
    if (this.scrubber.cells?.some((cell) => cells.has(cell))) this.scrubber.cells = null;
    if (cells.has(this.cell)) this.go(this.cell);
    else {
      const lines = linesThrough(this.data, this.layout, this.cell);
      this.scrubber.draw(this.cell, lines, favourite(lines, this.wanted));
      this.#drawWays();
    }
  }

  walk(dx, dy) {
    const next = this.layout.step(this.cell, dx, dy);
    if (next !== null) this.go(next);
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
  }

  #choose(axis) {
    this.wanted = axis;
    this.go(this.cell);
  }

  #drawPicture() {
    const { data, cell, image, under } = this;
    const state = data.state(cell);
    const drawn = state === "done";
    this.frame.dataset.state = state;
    this.frame.style.setProperty("--aspect", data.aspect(cell));
    for (const element of [image, under]) element.hidden = !drawn;
    this.note.hidden = drawn;
    if (!drawn) {
      for (const element of [image, under]) element.removeAttribute("src");
      this.note.replaceChildren(icon(state), make("b", { text: data.words(cell) }), make("p", { dir: "auto", text: middle(data.reason(cell), 400) }));
      return;
    }
    const [width, height] = data.pixels(cell);
    for (const element of [image, under]) {
      element.width = width;
      element.height = height;
    }
    // The thumbnail stands in, at full size, until the picture itself is decoded.
    under.src = data.thumb(cell);
    image.classList.add("coming");
    image.alt = data.describe(cell);
    image.src = data.picture(cell);
    image.decode().then(() => this.#arrived(cell), () => this.#lost(cell));
  }

  #arrived(cell) {
    if (cell !== this.cell) return;
    this.image.classList.remove("coming");
    if (this.data.raw.thumbnails) return;
    this.ahead = Object.values(this.ways)
      .map(({ dx, dy }) => this.layout.step(cell, dx, dy))
      .filter((next) => next !== null && this.data.state(next) === "done")
      .map((next) => Object.assign(new Image(), { src: this.data.picture(next) }));
  }

  #lost(cell) {
    if (cell !== this.cell || this.image.complete === false || this.image.naturalWidth > 0) return;
    this.image.hidden = true;
    announce(`${this.data.jobs.file[this.data.job(cell)]} is missing: this is its thumbnail`);
  }

  #drawCrumbs() {
    const { data, cell, layout } = this;
    const pairs = data.coordinates(cell).filter(([axis]) => axis.varies);
    this.where.replaceChildren(...pairs.map(([axis, value]) => make("span", { class: "pair", title: hint(`${axis.name}: ${axis.label(value)}`) },
      make("span", { class: "axis", text: axis.short }), make("span", { class: "value", dir: "auto", text: axis.brief(value, 48) }))));
    const stack = layout.stack(cell);
    const alone = data.raw.thumbnails && data.state(cell) === "done";
    this.place.textContent = [stack.length > 1 ? `${stack.indexOf(cell) + 1} of ${stack.length} in this cell` : "", alone ? "thumbnail" : ""].filter(Boolean).join(" · ");
  }

  /** Each edge says where its arrow leads. */
  #drawWays() {
    const { x, y } = this.layout.view;
    for (const [name, { dx, dy, element }] of Object.entries(this.ways)) {
      const next = this.layout.step(this.cell, dx, dy);
      element.hidden = next === null;
      if (next === null) continue;
      const axis = dx ? x : y;
      const words = axis ? axis.brief(axis.column[next], 24) : "";
      element.replaceChildren(icon(name), make("span", { dir: "auto", text: words }));
      element.setAttribute("aria-label", `${name}: ${axis ? `${axis.short} ${words}` : "next image"}`);
    }
  }

  #pressed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const typing = event.target.matches("input, select");
    const scrolling = this.side.contains(event.target) && ["ArrowUp", "ArrowDown"].includes(event.key);
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in arrows && !typing && !scrolling) this.walk(...arrows[event.key]);
    else if (event.key === "[") this.turn(-1);
    else if (event.key === "]") this.turn(1);
    else if (event.key.toLowerCase() === "i" && !typing) this.toggleDetails();
    else if (["+", "="].includes(event.key)) this.zoom.by(1.4);
    else if (event.key === "-") this.zoom.by(1 / 1.4);
    else if (event.key === "0") this.zoom.reset();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #listenForSwipes() {
    let start = null;
    this.frame.addEventListener("pointerdown", (event) => { start = event.pointerType === "touch" && !this.zoom.closer ? event : null; });
    this.frame.addEventListener("pointerup", (event) => {
      if (!start) return;
      const [dx, dy] = [start.clientX - event.clientX, start.clientY - event.clientY];
      start = null;
      if (Math.max(Math.abs(dx), Math.abs(dy)) < 40) return;
      if (Math.abs(dx) > Math.abs(dy)) this.walk(Math.sign(dx), 0);
      else this.walk(0, Math.sign(dy));
    });
  }

  #close() {
    const { cell } = this;
    this.cell = null;
    this.zoom.reset();
    for (const element of [this.image, this.under]) element.removeAttribute("src");
    this.closed(cell);
  }
}
