// What comparing is steered by: the bar over the picture, and the handle between two pictures.

class CompareBar {
  constructor(compare) {
    this.compare = compare;
    this.modes = Object.entries(MODES).map(([mode, { words, glyph }], index) =>
      make("button", { type: "button", class: "mode", "data-mode": mode, "aria-label": words, title: `${words} (Shift ${index + 1}, or M)`, onclick: () => compare.choose(mode) }, icon(glyph), make("span", { text: words })));
    this.relations = Object.entries(RELATIONS).map(([relation, { words, title }]) =>
      make("button", { type: "button", class: "mode", "data-relation": relation, title: `${title} (${relation[0].toUpperCase()})`, text: words, onclick: () => compare.relate(relation) }));
    this.range = make("input", { type: "range", oninput: () => compare.set(MODES[compare.mode].adjust.field, Number(this.range.value)) });
    this.value = make("output", {});
    this.adjust = make("label", { class: "adjust" }, make("span", { class: "label" }), this.range, this.value);
    this.pins = make("div", { class: "pins" });
    this.pin = button({ label: "Pin this one too (C)", glyph: "pin", act: () => compare.pin(), kind: "square quiet" });
    this.opener = button({ label: "Compare (C)", glyph: "split", words: "Compare", act: () => compare.begin(), kind: "quiet opener" });
    this.clearer = button({ label: "Let the pins go", glyph: "close", act: () => compare.clear(), kind: "square quiet clearer", hidden: true });
    this.root = make("div", { class: "comparebar", role: "toolbar", "aria-label": "Compare", hidden: true },
      make("div", { class: "segments", role: "group", "aria-label": "Way to compare" }, ...this.modes), this.adjust,
      make("span", { class: "spring" }),
      make("div", { class: "against" }, make("div", { class: "segments", role: "group", "aria-label": "Compare with" }, ...this.relations), this.pins, this.pin,
        (this.swap = button({ label: "Swap with the reference (S)", glyph: "swap", act: () => compare.swap(), kind: "square quiet" })),
        (this.end = button({ label: "End comparing (Esc)", glyph: "close", act: () => compare.leave(), kind: "square quiet" }))));
  }

  draw() {
    const { compare } = this;
    this.#drawOpener(compare.waiting.length);
    this.root.hidden = !compare.on;
    if (!compare.on) return;
    for (const own of [this.swap, this.end]) own.hidden = compare.home;
    for (const mode of this.modes) mode.setAttribute("aria-pressed", mode.dataset.mode === compare.mode);
    for (const relation of this.relations) {
      const { relation: name } = relation.dataset;
      relation.setAttribute("aria-pressed", compare.references.includes(name));
      relation.disabled = !compare.references.includes(name) && resolveReference(name, compare.data, compare.box.cell, compare.box.scrubber) === null;
    }
    this.#drawPins();
    this.drawAdjust();
  }

  /** In the lightbox's own head: whether pins wait there. */
  #drawOpener(pins) {
    const words = pins ? `Compare with ${pins} pinned` : "Compare";
    this.opener.hidden = this.compare.on;
    this.opener.querySelector("span").textContent = words;
    for (const name of ["title", "aria-label"]) this.opener.setAttribute(name, `${words} (C)`);
    this.opener.dataset.pins = pins || "";
    this.clearer.hidden = pins === 0;
  }

  /** A click on a pin chooses the one that stands against this picture; a small × of its own lets it go. */
  #drawPins() {
    const { compare } = this;
    const pinned = compare.references.map((reference, at) => [reference, at]).filter(([reference]) => typeof reference === "number");
    this.pin.hidden = compare.references.includes(compare.box.cell);
    const { replaced } = compare.pins;
    const most = replaced === null ? "" : `: ${MOST_PINS} at most, it takes the place of ${compare.tell(compare.references[replaced])}`;
    for (const name of ["title", "aria-label"]) this.pin.setAttribute(name, visible(`Pin this one too (C)${most}`));
    const focused = this.pins.contains(document.activeElement) ? document.activeElement.dataset.pin : null;
    this.pins.replaceChildren(...pinned.map(([cell, at]) => this.#pinned(cell, at, compare.references.length > 1)));
    this.pins.querySelector(`[data-pin="${focused}"]`)?.focus();
  }

  #pinned(cell, at, several) {
    const { compare } = this;
    const { data } = compare;
    const says = data.describe(cell);
    const missing = compare.box.missing.has(cell);
    const words = several ? `Ref ${at + 1}` : "Reference";
    return make("div", { class: "pinned" },
      make("button", { type: "button", class: "face", "data-pin": `face ${at}`, "aria-pressed": String(several && compare.faced?.at === at), title: `${words}: ${says}${several ? ": click to compare this one" : ""}`, "aria-label": `${words}: ${says}`, onclick: () => compare.face(at) },
        missing ? icon(compare.box.missing.of(cell).glyph) : make("img", { src: data.thumb(cell), alt: "" }), several ? make("span", { class: "number", text: String(at + 1) }) : null),
      make("button", { type: "button", class: "unpin", "data-pin": `unpin ${at}`, title: `Unpin ${says}`, "aria-label": `Unpin ${says}`, onclick: () => compare.drop(at) }, icon("close")));
  }

  drawAdjust() {
    const { compare } = this;
    const { adjust } = MODES[compare.mode];
    const still = compare.mode === "blink" && compare.calm.matches;
    this.adjust.hidden = !adjust;
    if (!adjust) return;
    this.range.hidden = still;
    this.adjust.firstChild.textContent = still ? "Space or a tap switches" : adjust.words;
    this.value.textContent = still ? "" : adjust.text(compare[adjust.field]);
    Object.assign(this.range, { min: adjust.min, max: adjust.max, step: adjust.step, value: compare[adjust.field] });
    this.range.setAttribute("aria-label", adjust.words);
    this.range.setAttribute("aria-valuetext", adjust.text(compare[adjust.field]));
  }
}
