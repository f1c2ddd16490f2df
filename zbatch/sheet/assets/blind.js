// Blind mode: a room of its own, in which nothing says what a picture is. The page itself is out of the document meanwhile.

const BLIND_WAYS = { pairs: "Pairs", single: "One by one" };

class Blind {
  /** `left` is told the axis that was compared here, if one was, and whether an image was judged. `cells` gives those that the filters leave. */
  constructor(judging, { cells, left, written }) {
    Object.assign(this, { judging, data: judging.data, cells, left, written });
    this.on = false;
    this.images = new Map(); // on their way, or there
  }

  /** What an address says: `blind=<seed>`, with the way and the axis. */
  static asked(hash) {
    const words = new URLSearchParams(hash.replace(/^#/, ""));
    return words.has("blind") ? { seed: Math.trunc(Number(words.get("blind"))) || 1, way: words.get("way"), axis: words.get("axis") } : null;
  }

  get hash() {
    return `#${new URLSearchParams({ blind: this.seed, way: this.way, ...(this.axis ? { axis: this.axis.name } : {}) })}`;
  }

  /** Axes that have values to compare. */
  get axes() {
    return this.data.varying.filter((axis) => axis.values.length > 1);
  }

  enter({ seed = 1 + Math.floor(Math.random() * 999999), way = null, axis = null } = {}) {
    if (this.on) return;
    const chosen = this.data.byName.get(axis);
    this.on = true;
    this.seed = seed;
    this.axis = this.axes.includes(chosen) ? chosen : (favourite(this.axes.map((own) => ({ axis: own })), null)?.axis ?? null);
    this.way = Object.hasOwn(BLIND_WAYS, way) ? way : this.axis ? "pairs" : "single";
    this.compared = this.judged = false;
    this.open = this.cells();
    this.#hide();
    this.#build();
    this.root.showModal();
    this.#begin();
  }

  /** Everything that may tell leaves the document, the page's own title too. */
  #hide() {
    this.title = document.title;
    document.title = "Blind";
    this.places = [...document.querySelectorAll(".scroller, .panel")].map((box) => [box, box.scrollTop, box.scrollLeft]);
    this.hidden = [...document.body.childNodes].filter((node) => !(node instanceof HTMLScriptElement));
    this.scripts = [...document.querySelectorAll("body script")];
    for (const script of this.scripts) script.remove(); // a page of one file has its data in one
    for (const node of this.hidden) node.remove();
    this.root = make("dialog", { class: "blind", "aria-label": "Blind mode" });
    document.body.append(this.root);
    this.root.addEventListener("keydown", (event) => this.#pressed(event));
    this.root.addEventListener("cancel", (event) => { event.preventDefault(); this.leave(); });
  }

  leave() {
    if (!this.on) return;
    this.on = false;
    this.images.clear();
    this.root.remove();
    document.title = this.title;
    document.body.append(...this.hidden);
    for (const [box, top, left] of this.places) Object.assign(box, { scrollTop: top, scrollLeft: left });
    this.left({ axis: this.compared ? this.axis : null, judged: this.judged });
  }

  // ── what there is to see ─────────────────────────────────────────────────────────────────────────────

  #build() {
    this.prints = [new Print("First picture"), new Print("Second picture")];
    this.sides = this.prints.map(({ canvas }, at) => make("button", { type: "button", class: "print", "data-side": at ? "b" : "a", "aria-label": at ? "The second one is better" : "The first one is better", onclick: () => this.#choose(at ? "b" : "a") }, canvas));
    this.single = new Print("Picture");
    this.bar = new JudgeBar((field, value) => this.#judge(field, value));
    this.stage = make("div", { class: "blindstage" });
    this.whole = button({ words: "Whole", label: "The whole picture again (0)", glyph: "search", act: () => { this.zoom.reset(); this.root.focus(); }, kind: "quiet whole", hidden: true });
    this.zoom = new Zoom(this.stage, [...this.prints, this.single].map(({ canvas }) => canvas), () => this.#zoomed(), { pane: ".print", chosen: true });
    this.said = make("p", { class: "blindsaid", role: "status" });
    this.acts = make("div", { class: "blindacts" });
    this.ways = Object.entries(BLIND_WAYS).map(([way, words]) => make("button", { type: "button", class: "mode", "data-way": way, text: words, onclick: () => this.#turn({ way }) }));
    const list = make("select", { "aria-label": "Axis to compare", onchange: () => this.#turn({ axis: this.data.byName.get(list.value) }) },
      ...this.axes.map((axis) => make("option", { value: axis.name, text: axis.name, selected: axis === this.axis })));
    this.alike = make("p", { class: "blindalike" });
    this.choice = make("label", { class: "choice" }, make("span", { class: "label", text: "Compare" }), list);
    this.root.append(
      make("div", { class: "blindtop" }, make("h2", { text: "Blind" }), make("div", { class: "segments", role: "group", "aria-label": "Way to judge" }, ...this.ways), this.choice, this.alike,
        make("span", { class: "spring" }), this.whole, this.said, button({ words: "Leave and reveal", label: "Leave and reveal what is what (Esc)", act: () => this.leave() })),
      this.stage, this.acts, make("div", { class: "toast", role: "status" }));
  }

  #turn({ way = this.way, axis = this.axis }) {
    Object.assign(this, { way, axis });
    this.#begin();
  }

  #begin() {
    const { way, data } = this;
    for (const own of this.ways) own.setAttribute("aria-pressed", String(own.dataset.way === way));
    this.ways[0].disabled = this.axis === null;
    this.choice.hidden = way !== "pairs";
    this.pair = null;
    this.zoom.reset();
    this.alike.textContent = "";
    if (way === "pairs") {
      this.pairs = new Matchups(data, this.open, this.axis, this.seed);
      if (this.pairs.lines.length) this.alike.textContent = this.pairs.alike;
    } else {
      const jobs = new Map(this.open.filter((cell) => data.state(cell) === "done").map((cell) => [data.job(cell), cell]).toReversed());
      this.order = shuffled([...jobs.values()].sort((one, other) => one - other), this.seed);
      this.at = Math.max(0, this.order.findIndex((cell) => !this.judging.said(cell)));
    }
    this.written(this.hash);
    this.#show();
  }

  #show() {
    if (this.way === "pairs") this.#showPair(this.pairs.many ? null : this.pairs.next(this.judging.own.comparisons));
    else this.#showSingle();
    this.root.focus();
  }

  /** The picture, decoded; its thumbnail where it is gone, and `null` where that is, too. */
  #image(cell) {
    if (!this.images.has(cell)) {
      const load = (src) => { const image = Object.assign(new Image(), { src }); return image.decode().then(() => image); };
      this.images.set(cell, load(this.data.picture(cell)).catch(() => load(this.data.thumb(cell))).catch(() => null));
      for (const old of [...this.images.keys()].slice(0, -8)) this.images.delete(old);
    }
    return this.images.get(cell);
  }

  #zoomed() {
    const { closer, scale } = this.zoom ?? {};
    this.whole.hidden = !closer;
    if (closer) this.whole.querySelector("span").textContent = `${scale.toFixed(1)} × · whole`;
  }

  #foot(image) {
    return this.data.about.endpoint_kind === "preview" ? stampHeight(image) : 0;
  }

  // ── pairs ────────────────────────────────────────────────────────────────────────────────────────────

  async #showPair(pair) {
    const { judging, pairs } = this;
    const compared = pairs.compared(judging.own.comparisons);
    this.pair = null; // no key counts before both are to be seen
    delete this.root.dataset.ready;
    this.said.textContent = `${count(compared)} of ${plural(pairs.total, "pair")}`;
    if (pair === null) {
      this.#showEnd(compared);
      return;
    }
    if (!this.stage.contains(this.sides[0])) this.stage.replaceChildren(...this.sides);
    this.#offer();
    this.showing = pair;
    const images = await Promise.all(pair.map((cell) => this.#image(cell)));
    if (!this.on || this.showing !== pair || this.way !== "pairs") return;
    if (images.includes(null)) {
      pairs.miss(pair);
      announce("A picture of this pair is missing: on to the next", { time: 3000 });
      this.#show();
      return;
    }
    this.zoom.reset();
    images.forEach((image, at) => this.prints[at].draw(image, this.#foot(image)));
    this.pair = pair;
    this.root.dataset.ready = "";
    // Whichever is chosen, the next is the same: it can be fetched meanwhile.
    const next = pairs.next(judging.own.comparisons, [pair]);
    if (next) next.forEach((cell) => this.#image(cell));
  }

  /** No pair is left: why, and what can be done still. */
  #showEnd(compared) {
    const { skipped } = this.pairs;
    this.stage.replaceChildren(make("p", { class: "blindnothing", text: this.pairs.ended(compared) }));
    this.acts.dataset.way = "end";
    this.acts.replaceChildren(...(skipped.size ? [button({ words: "Show the skipped", act: () => { skipped.clear(); this.#show(); }, kind: "big" })] : []),
      ...(this.compared ? [button({ words: "Undo", act: () => this.#undo(), kind: "big quiet" })] : []));
  }

  #offer() {
    if (this.acts.dataset.way === "pairs") return;
    this.acts.dataset.way = "pairs";
    const act = (words, key, does, kind = "", tall = null) => make("button", { type: "button", class: `button big ${kind}`, onclick: does },
      make("span", { class: tall && "broad", text: words }), tall && make("span", { class: "tall", text: tall }), make("kbd", { text: key }));
    // Upright, one picture stands under the other.
    this.acts.replaceChildren(act("Left", "←", () => this.#choose("a"), "", "Upper"), act("Tie", "↓", () => this.#choose("tie")), act("Right", "→", () => this.#choose("b"), "", "Lower"), make("span", { class: "gap" }),
      act("Skip", "Space", () => this.#skip(), "quiet"), act("Undo", "Ctrl Z", () => this.#undo(), "quiet"));
  }

  #choose(winner) {
    if (this.pair === null) return;
    const [a, b] = this.pair;
    this.pair = null;
    this.compared = true;
    this.judging.compare(a, b, winner, this.axis);
    this.#show();
  }

  #skip() {
    if (this.pair === null) return;
    this.pairs.skip(this.pair);
    this.#show();
  }

  #undo() {
    const step = this.judging.undo({ blind: true });
    if (step === null) return;
    if (this.way === "pairs" && step.cells) this.#showPair(step.cells);
    else if (this.way === "single" && step.cell !== undefined) {
      const at = this.order.findIndex((cell) => this.data.job(cell) === this.data.job(step.cell));
      if (at >= 0) this.at = at;
      this.#showSingle();
    } else this.#show();
    if (!this.root.contains(document.activeElement)) this.root.focus(); // what was pressed may be gone
  }

  // ── one by one ───────────────────────────────────────────────────────────────────────────────────────

  async #showSingle() {
    const { order, judging } = this;
    const cell = order[this.at];
    const { judged, total } = judging.progress(this.open);
    this.said.textContent = `${count(judged)} of ${plural(total, "image")} judged`;
    this.acts.dataset.way = "single";
    if (cell === undefined) {
      this.stage.replaceChildren(make("p", { class: "blindnothing", text: "There are no pictures to judge." }));
      this.acts.replaceChildren();
      return;
    }
    if (!this.acts.contains(this.bar.root)) {
      this.acts.replaceChildren(button({ label: "Previous (←)", glyph: "left", act: () => this.#step(-1), kind: "square big" }), this.bar.root, button({ label: "Next (→)", glyph: "right", act: () => this.#step(1), kind: "square big" }),
        button({ words: "Next unjudged", label: "Next unjudged (Space)", act: () => this.#unjudged(), kind: "quiet big" }));
    }
    this.bar.draw(judging.said(cell));
    if (!this.stage.contains(this.single.canvas)) this.stage.replaceChildren(make("div", { class: "print alone" }, this.single.canvas));
    const image = await this.#image(cell);
    if (!this.on || this.order[this.at] !== cell || this.way !== "single") return;
    if (image) this.single.draw(image, this.#foot(image));
    else this.single.clear();
    if (order[this.at + 1] !== undefined) this.#image(order[this.at + 1]);
  }

  #step(by) {
    this.at = Math.min(this.order.length - 1, Math.max(0, this.at + by));
    this.#showSingle();
  }

  #unjudged() {
    const { order, at } = this;
    const next = [...order.slice(at + 1), ...order.slice(0, at + 1)].find((cell) => !this.judging.said(cell));
    if (next === undefined) announce("Every picture here is judged");
    else {
      this.at = order.indexOf(next);
      this.#showSingle();
    }
  }

  #judge(field, value) {
    const cell = this.order[this.at];
    if (cell === undefined) return;
    this.judged = this.judging.judge(cell, field, value) || this.judged;
    this.#showSingle();
  }

  // ── keys ─────────────────────────────────────────────────────────────────────────────────────────────

  #pressed(event) {
    if (undoes(event)) this.#undo();
    else if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches("select")) return;
    else if (event.repeat && this.way === "pairs") { /* a key that rests is one choice */ }
    else if (!this.#steered(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #steered(event) {
    const { key } = event;
    if (this.zoom.pressed(key)) return true;
    if (key === " " && event.target.closest("button")) return false;
    if (this.way === "pairs") {
      const winner = { ArrowLeft: "a", ArrowRight: "b", ArrowDown: "tie", t: "tie", T: "tie" }[key];
      if (winner) this.#choose(winner);
      else if (key === " ") this.#skip();
      else return false;
      return true;
    }
    const judged = judgedBy(event);
    if (judged) this.#judge(...judged);
    else if (key === "ArrowLeft") this.#step(-1);
    else if (key === "ArrowRight") this.#step(1);
    else if (key === " ") this.#unjudged();
    else return false;
    return true;
  }
}
