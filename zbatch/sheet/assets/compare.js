// Comparing: the picture against up to three references, in one of four ways, with zoom and pan in common.

const MODES = {
  slider: { words: "Slider", glyph: "split" },
  side: { words: "Side by side", glyph: "beside" },
  blink: { words: "Blink", glyph: "eye", adjust: { words: "Rate", field: "rate", min: 0.5, max: 3, step: 0.5, text: (rate) => `${rate}/s` } },
  difference: { words: "Difference", glyph: "overlap", adjust: { words: "Gain", field: "gain", min: 1, max: 16, step: 1, text: (gain) => `× ${gain}` } },
};

const SEAM = 6; // pixels between panes

class Compare {
  /** `box` is the lightbox: its frame, pane, zoom, scrubber and cell; `changed` is called when anything here did. */
  constructor(box, changed) {
    Object.assign(this, { box, changed, data: box.data });
    Object.assign(this, { references: [], mode: "slider", split: 0.5, rate: 1, gain: 4, shown: 0, fit: 0 });
    this.panes = Array.from({ length: MOST_PINS }, () => new Pane(this.data, "reference"));
    this.names = make("div", { class: "names" });
    this.handle = new SplitHandle((split) => this.#splitAt(split));
    this.bar = new CompareBar(this);
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.calm.addEventListener("change", () => this.#blink());
    new ResizeObserver(() => this.place()).observe(box.frame);
  }

  get on() {
    return this.references.length > 0;
  }

  /** Slider and difference show one reference, however many there are. */
  get paired() {
    return ["slider", "difference"].includes(this.mode);
  }

  get images() {
    return this.panes.flatMap((pane) => pane.images);
  }

  /** Pin this picture, or let it go again. */
  pin(cell = this.box.cell) {
    const at = this.references.indexOf(cell);
    if (at >= 0) {
      this.drop(at);
      return;
    }
    const before = this.on;
    if (this.references.length === MOST_PINS) this.references.pop();
    this.references.push(cell);
    this.#begin(before);
    announce(before ? `Pinned: ${plural(this.references.length, "reference")}` : "Pinned as the reference: now walk or drag the strip");
  }

  /** Take a relation as the reference, in place of all others; the same again ends it. */
  relate(relation) {
    if (this.references[0] === relation) {
      this.leave();
      return;
    }
    if (resolveReference(relation, this.data, this.box.cell, this.box.scrubber) === null) {
      announce(relation === "baseline" ? "Nothing here has a baseline: no numeric axis with 0, no LoRA none" : `There is no ${relation} one on the strip`);
      return;
    }
    hush(); // what was said of the reference before
    const before = this.on;
    this.references = [relation];
    this.#begin(before);
  }

  #begin(before) {
    this.changed();
    if (!before) this.box.frame.focus({ preventScroll: true });
  }

  drop(at) {
    this.references.splice(at, 1);
    if (this.on) this.changed();
    else this.leave();
  }

  leave() {
    this.references = [];
    this.changed();
  }

  /** The lightbox closes: whatever is next opened in it stands alone. */
  close() {
    this.references = [];
    this.draw();
  }

  /** Go to the reference, and make this picture the reference. */
  swap() {
    const { cell } = this.box;
    const other = this.resolved[0]?.cell;
    if (other === undefined || other === cell) return;
    this.references[0] = cell;
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
    this.resolved = this.references.map((reference) => ({ reference, cell: resolveReference(reference, this.data, cell, scrubber) })).filter((one) => one.cell !== null);
    this.resolved.forEach((one, index) => { one.words = this.resolved.length > 1 ? `Ref ${index + 1}` : "Reference"; });
    this.all = [...this.resolved, { words: "This", cell }];
    if (this.on) frame.dataset.compare = this.resolved.length ? this.mode : "none";
    else delete frame.dataset.compare;
    this.panes.forEach((pane, index) => {
      const one = this.resolved[index];
      const away = one === undefined || (index > 0 && this.paired);
      if (away) {
        pane.root.remove();
        pane.empty();
      } else {
        if (!pane.root.isConnected) this.box.pane.root.before(pane.root);
        pane.draw(one.cell);
      }
    });
    this.handle.root.hidden = frame.dataset.compare !== "slider";
    this.shown = Math.min(this.shown, this.resolved.length);
    this.#drawNames();
    this.bar.draw();
    this.place();
    this.#blink();
  }

  /** The pictures that are on the screen in this way of comparing. */
  get seen() {
    return this.paired ? [this.all[0], this.all.at(-1)] : this.all;
  }

  #drawNames() {
    const shown = this.on && this.resolved.length ? this.seen : [];
    const differing = this.data.varying.filter((axis) => new Set(shown.map(({ cell }) => axis.column[cell])).size > 1);
    this.names.replaceChildren(...shown.map(({ words, cell }) => make("div", { class: "nametag" }, make("b", { text: words }),
      differing.length ? make("span", { dir: "auto", text: differing.map((axis) => `${axis.short} ${axis.brief(axis.column[cell], 28)}`).join(", ") }) : null)));
    if (this.on && !this.resolved.length) this.names.append(make("div", { class: "nametag" }, make("b", { text: `There is no ${this.references[0]} one here` })));
    this.#drawShown();
  }

  #drawShown() {
    const blinking = this.on && this.mode === "blink";
    const roots = [...this.resolved.map((_, index) => this.panes[index].root), this.box.pane.root];
    roots.forEach((root, index) => root.classList.toggle("away", blinking && index !== this.shown));
    [...this.names.children].forEach((name, index) => name.classList.toggle("away", blinking && index !== this.shown));
  }

  #blink() {
    clearInterval(this.timer);
    if (this.on && this.mode === "blink" && this.resolved.length && !this.calm.matches) this.timer = setInterval(() => this.flip(), 1000 / this.rate);
  }

  /** Where things stand, after the window, the zoom or the pictures changed. */
  place() {
    const { frame, cell, zoom, data } = this.box;
    if (cell === null || !this.all) return;
    const aspects = this.on ? this.seen.map((one) => data.aspect(one.cell)) : [data.aspect(cell)];
    const beside = this.on && this.mode === "side" ? this.seen.length : 1;
    const wanted = bestColumns(beside, Math.max(...aspects), roomFor(frame));
    frame.style.setProperty("--columns", wanted);
    frame.style.setProperty("--aspect", (Math.max(...aspects) * wanted) / Math.ceil(beside / wanted));
    frame.style.setProperty("--gain", this.gain);
    const rows = Math.ceil(beside / wanted);
    const height = (frame.clientHeight - SEAM * (rows - 1)) / rows;
    const room = (frame.clientWidth - SEAM * (wanted - 1)) / wanted;
    // Beside each other, panes are no wider than their pictures: the eye has less far to go.
    const width = beside > 1 ? Math.min(room, height * Math.max(...aspects)) : room;
    frame.style.setProperty("--pane", `${width}px`);
    const fit = Math.min(width, height * data.aspect(cell));
    if (this.fit && fit && fit !== this.fit) zoom.refit(fit / this.fit);
    this.fit = fit;
    this.#placeNames(width, height);
    const half = (Math.max(...aspects.map((aspect) => Math.min(width, height * aspect))) / 2) * zoom.scale;
    const [left, right] = [Math.max(0, width / 2 + zoom.x - half), Math.min(width, width / 2 + zoom.x + half)];
    frame.style.setProperty("--split", `${left + this.split * Math.max(0, right - left)}px`);
    // The line is as high as the higher picture, as far as that is in view.
    const halfHigh = (Math.max(...aspects.map((aspect) => Math.min(height, width / aspect))) / 2) * zoom.scale;
    frame.style.setProperty("--top", `${Math.max(0, height / 2 + zoom.y - halfHigh)}px`);
    frame.style.setProperty("--bottom", `${Math.max(0, height / 2 - zoom.y - halfHigh)}px`);
    this.handle.draw(this.split, left, right);
  }

  /** Each name stands in the upper corner of its picture, as far as that is in view. */
  #placeNames(width, height) {
    const { zoom, data } = this.box;
    [...this.names.children].forEach((name, index) => {
      const aspect = data.aspect((this.seen[index] ?? this.seen.at(-1)).cell);
      const right = index > 0 && this.paired;
      const [halfWide, halfHigh] = [Math.min(width, height * aspect), Math.min(height, width / aspect)].map((side) => (side / 2) * zoom.scale);
      name.style.setProperty("--aside", `${8 + Math.max(0, width / 2 + (right ? -zoom.x : zoom.x) - halfWide)}px`);
      name.style.setProperty("--above", `${8 + Math.max(0, height / 2 + zoom.y - halfHigh)}px`);
    });
  }

  // ── the address ──────────────────────────────────────────────────────────────────────────────────────

  write(words, nameOf) {
    if (!this.on) return;
    words.set("compare", this.mode);
    for (const reference of this.references) words.append("ref", typeof reference === "number" ? nameOf(reference) : reference);
  }

  read(words, cellOf) {
    const references = words.getAll("ref").map((name) => (Object.hasOwn(RELATIONS, name) ? name : cellOf(name))).filter((one) => one !== null);
    this.references = [...new Set(references)].slice(0, MOST_PINS);
    if (Object.hasOwn(MODES, words.get("compare"))) this.mode = words.get("compare");
    this.#begin(false);
  }

  /** Tell whether a key was meant for comparing. */
  pressed(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const always = { c: () => this.pin(), b: () => this.relate("baseline"), p: () => this.relate("previous"), n: () => this.relate("next") };
    if (key in always) {
      always[key]();
      return true;
    }
    if (!this.on) return false;
    const mode = Object.keys(MODES)[Number(key) - 1];
    if (/^[1-4]$/.test(key)) this.choose(mode);
    else if (key === "x") this.swap();
    else if (key === "Escape") this.leave();
    else if (event.shiftKey && ["ArrowLeft", "ArrowRight"].includes(key)) this.adjust(key === "ArrowLeft" ? -1 : 1);
    else if (key === " " && this.mode === "blink" && !event.target.closest("button, input, select, summary, a")) this.flip();
    else return false;
    return true;
  }
}

/** How many columns show pictures beside each other largest. */
function bestColumns(pictures, aspect, { width, height }) {
  let best = [0, 1];
  for (let columns = 1; columns <= pictures; columns += 1) {
    const side = Math.min(width / columns, (height / Math.ceil(pictures / columns)) * aspect);
    if (side > best[0] * 1.02) best = [side, columns];
  }
  return best[1];
}

/** On an upright phone the frame is as high as its pictures make it: what counts is how high it may get. */
function roomFor(frame) {
  const upright = matchMedia("(max-width: 860px) and (orientation: portrait)").matches;
  return { width: frame.clientWidth, height: upright ? innerHeight * 0.56 : frame.clientHeight };
}
