// Comparing: the picture against up to three references, in one of four ways, with zoom and pan in common.

const MODES = {
  slider: { words: "Slider", glyph: "split", paired: true },
  side: { words: "Side by side", glyph: "beside" },
  blink: { words: "Blink", glyph: "eye", adjust: { words: "Rate", field: "rate", min: 0.5, max: 3, step: 0.5, text: (rate) => `${rate}/s` } },
  difference: { words: "Difference", glyph: "overlap", paired: true, adjust: { words: "Gain", field: "gain", min: 1, max: 16, step: 1, text: (gain) => `× ${gain}` } },
};

class Compare {
  /** `box` is the lightbox: its frame, pane, zoom, scrubber and cell; `changed` is called when anything here did. */
  constructor(box, changed) {
    Object.assign(this, { box, changed, data: box.data });
    Object.assign(this, { pins: new Pins(), active: false, mode: "slider", split: 0.5, rate: 1, gain: 4, shown: 0, fit: 0 });
    this.panes = Array.from({ length: MOST_PINS }, () => new Pane(box.missing, "reference", changed));
    this.names = new NameTags(this.data);
    this.sameness = make("p", { class: "sameness", role: "status" });
    this.handle = new SplitHandle((split) => this.#splitAt(split));
    this.bar = new CompareBar(this);
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.calm.addEventListener("change", () => this.#blink());
    new ResizeObserver(() => this.place()).observe(box.frame);
  }

  get references() {
    return this.pins.references;
  }

  get on() {
    return this.active && this.references.length > 0;
  }

  /** Comparing that the page is for: there is nothing to be left for. */
  get home() {
    return this.on && Boolean(this.data.home) && this.references[0] === this.data.home;
  }

  /** Begin it, where the page has it. */
  goHome() {
    if (!this.data.home || this.on) return;
    this.pins.relate(this.data.home);
    this.active = true;
  }

  /** Pins that wait: nothing is compared now, and they are still there for the next time. */
  get waiting() {
    return this.active ? [] : this.references;
  }

  /** Slider and difference show one reference, however many there are. */
  get paired() {
    return MODES[this.mode].paired;
  }

  get images() {
    return this.panes.flatMap((pane) => pane.images);
  }

  /** The way it is drawn: over one another only where there are two pictures for it. */
  get way() {
    if (!this.on) return null;
    if (!this.resolved.length) return "none";
    return this.mode !== "side" && this.#pictured < 2 ? "side" : this.mode;
  }

  get #pictured() {
    return this.seen.filter(({ cell }) => !this.box.missing.has(cell)).length;
  }

  /** Compare with the pins that there are; without any, with this picture. */
  begin() {
    if (!this.waiting.length) {
      this.pin();
      return;
    }
    this.active = true;
    this.#begin(false);
  }

  /** Pin this picture, or let it go again. */
  pin(cell = this.box.cell) {
    const at = this.references.indexOf(cell);
    if (at >= 0) {
      this.drop(at);
      return;
    }
    const before = this.on;
    const { replaced } = this.pins;
    const words = replaced === null ? null : this.tell(this.references[replaced]);
    this.pins.add(cell);
    this.active = true;
    this.#begin(before);
    if (words) announce(`${MOST_PINS} at most: it takes the place of ${words}`, { time: 4000 });
    else announce(before ? `Pinned: ${plural(this.references.length, "reference")}` : "Pinned as the reference: now walk or drag the strip");
  }

  /** What tells a pinned cell from the other pins and from this one. */
  tell(cell) {
    return tellingWords(this.data, [...this.references, this.box.cell], 40)(cell) || this.data.describe(cell);
  }

  /** Have one of several references stand against this picture, and swap with it. */
  face(at) {
    this.pins.facing = at;
    const index = this.resolved.findIndex((one) => one.at === at);
    if (index >= 0) this.shown = index;
    this.changed();
  }

  /** Take a relation as the reference, in place of pins, which wait meanwhile; the same again ends it. */
  relate(relation) {
    if (this.home && relation === this.data.home) return;
    if (this.on && this.references[0] === relation) {
      if (this.pins.facing === 0) this.leave();
      else this.face(0); // a pin was chosen beside it
      return;
    }
    if (resolveReference(relation, this.data, this.box.cell, this.box.scrubber) === null) {
      announce(relation === "baseline" ? "Nothing here has a baseline: no numeric axis with 0, no LoRA none" : `There is no ${relation} one on the strip`);
      return;
    }
    hush(); // what was said of the reference before
    const before = this.on;
    this.pins.relate(relation);
    this.active = true;
    this.#begin(before);
  }

  #begin(before) {
    this.changed();
    if (!before) this.box.frame.focus({ preventScroll: true });
  }

  drop(at) {
    this.pins.drop(at);
    if (this.on) this.changed();
    else this.leave();
  }

  /** End comparing; pins stay for the next time. */
  leave() {
    hush(); // what was said of the pin
    this.#rest();
    this.goHome();
    this.changed();
  }

  /** The lightbox closes: whatever is next opened in it stands alone. */
  close() {
    this.#rest();
    this.draw();
  }

  /** Let all pins go. */
  clear() {
    Object.assign(this, { pins: new Pins(), active: false });
    this.changed();
  }

  #rest() {
    this.pins.rest();
    this.active = false;
  }

  /** Go to the reference, the chosen one of several, and make this picture the reference. */
  swap() {
    const { cell } = this.box;
    if (!this.faced || this.faced.cell === cell || this.home) return;
    const { at, cell: other } = this.faced;
    this.references[at] = cell;
    this.box.go(other);
  }

  choose(mode) {
    this.mode = mode;
    this.changed();
  }

  adjust(steps) {
    const { adjust } = MODES[this.mode];
    if (adjust) this.set(adjust.field, this[adjust.field] + steps * adjust.step);
    else if (this.mode === "slider") this.#splitAt(this.split + steps * 0.05);
  }

  #splitAt(split) {
    this.split = Math.min(1, Math.max(0, split));
    this.place();
  }

  set(field, value) {
    const { min, max } = MODES[this.mode].adjust;
    this[field] = Math.min(max, Math.max(min, value));
    this.bar.drawAdjust();
    this.place();
    this.#blink();
  }

  /** Show the next of the pictures that blink. */
  flip() {
    this.shown = (this.shown + 1) % (this.resolved.length + 1);
    this.#drawShown();
  }

  draw() {
    const { frame, cell, scrubber } = this.box;
    const references = this.on ? this.references : [];
    this.resolved = references.map((reference, at) => ({ reference, at, cell: resolveReference(reference, this.data, cell, scrubber) })).filter((one) => one.cell !== null);
    this.resolved.forEach((one, index) => { one.words = this.home ? this.data.sides[0].label : this.resolved.length > 1 ? `Ref ${index + 1}` : "Reference"; });
    this.faced = this.resolved.find(({ at }) => at === this.pins.facing) ?? this.resolved[0];
    this.all = [...this.resolved, { words: this.home ? this.data.sides[1].label : "This", cell }];
    const { way } = this;
    if (way) frame.dataset.compare = way;
    else delete frame.dataset.compare;
    this.#drawPanes(way);
    this.handle.root.hidden = way !== "slider";
    this.shown = Math.min(this.shown, this.resolved.length);
    this.#drawNames();
    this.bar.draw();
    this.place();
    this.#blink();
  }

  #drawPanes(way) {
    this.panes.forEach((pane, index) => {
      const one = this.resolved[index];
      const away = one === undefined || (this.paired && one !== this.faced);
      if (away) {
        pane.root.remove();
        pane.empty();
      } else {
        if (!pane.root.isConnected) this.box.pane.root.before(pane.root);
        pane.draw(one.cell);
      }
    });
    const alone = way === "side" && this.mode !== "side";
    for (const pane of [...this.panes.filter(({ root }) => root.isConnected), this.box.pane]) pane.say(alone ? "There is nothing to compare with." : "");
  }

  /** The pictures that are on the screen in this way of comparing. */
  get seen() {
    return this.paired && this.faced ? [this.faced, this.all.at(-1)] : this.all;
  }

  #drawNames() {
    if (this.way === "none") this.names.say(`There is no ${this.references[0]} one here`);
    else this.names.draw(this.on ? this.seen.map((one) => ({ ...one, act: this.#choice(one) })) : []);
    this.sameness.textContent = this.way === "difference" ? samenessWords(this.data, this.faced.cell, this.box.cell) : "";
    this.#drawShown();
  }

  /** A click on the name of one of several references chooses it, or the next where it is chosen. */
  #choice(one) {
    if (one.at === undefined || this.resolved.length < 2) return null;
    const next = this.paired ? this.resolved[(this.resolved.indexOf(one) + 1) % this.resolved.length] : one;
    return { title: this.paired ? `Compare with ${next.words} instead` : "Compare with this one in slider and difference", click: () => this.face(next.at) };
  }

  #drawShown() {
    const blinking = this.way === "blink";
    const roots = [...this.resolved.map((_, index) => this.panes[index].root), this.box.pane.root];
    roots.forEach((root, index) => root.classList.toggle("away", blinking && index !== this.shown));
    [...this.names.root.children].forEach((name, index) => name.classList.toggle("away", blinking && index !== this.shown));
  }

  #blink() {
    clearInterval(this.timer);
    if (this.way === "blink" && !this.calm.matches) this.timer = setInterval(() => this.flip(), 1000 / this.rate);
  }

  /** Put things where they belong, after the window, the zoom or the pictures changed. */
  place() {
    const { frame, cell, zoom, data } = this.box;
    if (cell === null || !this.all) return;
    const cells = this.on ? this.seen.map((one) => one.cell) : [cell];
    const arrangement = new Arrangement(frame, data, zoom, cells, this.way === "side");
    arrangement.apply();
    frame.style.setProperty("--gain", this.gain);
    const fit = arrangement.fit(cell);
    if (this.fit && fit && fit !== this.fit) zoom.refit(fit / this.fit);
    this.fit = fit;
    const { pictures } = arrangement;
    this.names.place(pictures, MODES[this.way]?.paired, frame.clientWidth);
    this.handle.place(frame, this.split, pictures);
  }

  // ── the address ──────────────────────────────────────────────────────────────────────────────────────

  write(words, nameOf) {
    if (this.on) words.set("compare", this.mode);
    this.pins.write(words, nameOf, this.on);
  }

  /** What an address says of it, before a picture is opened. */
  read(words, cellOf) {
    this.pins = Pins.read(words, cellOf);
    this.active = this.pins.begun;
    if (Object.hasOwn(MODES, words.get("compare"))) this.mode = words.get("compare");
  }
}
