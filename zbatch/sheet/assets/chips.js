// The side panel: every value of every axis as a chip with its count, to show and to hide.

const FINGERS = matchMedia("(pointer: coarse)");
const CHIPS = 48; // more values than this wait behind a button

class Chips {
  constructor(root, data, view, change, close) {
    Object.assign(this, { root, data, view, change, built: null });
    this.closer = button({ label: "Close the values (V)", glyph: "close", act: close, kind: "square quiet closer" });
    this.whole = new Set();
  }

  draw(counts) {
    const { data, view } = this;
    if (this.built !== data.varying) this.#build();
    this.clear.hidden = !view.filtered;
    this.preface.replaceChildren(data.preface?.() ?? "");
    for (const { axis, all, many } of this.sections) {
      all.hidden = view.hides(axis).size === 0;
      many.hidden = !all.hidden;
    }
    const most = wholeOf(data).counts;
    for (const chip of this.chips) this.#drawChip(chip, counts, most);
    this.drawMeans();
  }

  /** All that stays while numbers change: at every key of a search only those are drawn. */
  #build() {
    this.built = this.data.varying;
    this.chips = [];
    this.sections = [];
    this.clear = make("button", { type: "button", class: "link", text: "Clear all filters", hidden: true, onclick: () => this.change(() => this.view.clearFilters()) });
    this.preface = make("div");
    // Asked of an empty panel, it would make the browser lay out a page that is not finished.
    const top = this.root.childElementCount ? this.root.scrollTop : 0;
    this.root.replaceChildren(make("div", { class: "panelhead" }, make("h2", { text: "Values" }), this.clear, this.closer), this.preface, ...this.built.map((axis) => this.#section(axis)),
      make("p", { class: "aside", text: FINGERS.matches ? "A tap hides or shows a value. A long press shows it alone." : "Click hides or shows a value. Shift-click shows it alone." }));
    if (top) this.root.scrollTop = top;
  }

  #drawChip(chip, counts, most) {
    const { axis, value, root, many } = chip;
    root.setAttribute("aria-pressed", String(!this.view.hides(axis).has(value)));
    const number = count(counts.get(axis).get(value) ?? 0);
    if (many.textContent !== number) many.textContent = number;
    wide(many, most.get(axis).get(value));
    if (!this.data.measure) return;
    chip.measure?.remove();
    chip.measure = this.data.measure(axis, value);
    if (chip.measure) root.append(chip.measure);
  }

  /** The mean rating of each value, beside its count. */
  drawMeans() {
    const { judging } = this.data;
    if (judging.empty && !this.meant) return;
    this.meant = !judging.empty;
    const means = new Map();
    for (const { axis, value, place } of this.chips) {
      if (!means.has(axis)) means.set(axis, axisOpinions(this.data, judging.all.opinions, axis));
      const own = means.get(axis).get(value);
      place.textContent = own?.mean ? `${own.mean.toFixed(1)}★` : "";
      place.title = own?.mean ? `Mean rating of ${plural(own.ratings, "image")}` : "";
      place.hidden = !own?.mean;
    }
  }

  #section(axis) {
    const values = axis.numbers;
    const whole = this.whole.has(axis) || values.length <= CHIPS;
    const words = axis.longest > 22;
    const all = make("button", { type: "button", class: "link", text: "all", hidden: true, "data-keep": `all ${axis.index}`, "aria-label": `Show all values of ${axis.name}`, onclick: () => this.change(() => this.view.hides(axis).clear()) });
    const many = make("span", { class: "many", text: count(values.length) });
    this.sections.push({ axis, all, many });
    return make("section", { class: "axisvalues" },
      make("h3", {}, make("span", { text: axis.name }), all, many),
      make("div", { class: `chips${words || this.data.measure ? " long" : ""}`, role: "group", "aria-label": axis.name },
        ...(whole ? values : values.slice(0, CHIPS)).map((value) => this.#chip(axis, value)),
        whole ? null : make("button", { type: "button", class: "link", text: `${count(values.length - CHIPS)} more`, onclick: () => this.#unfold(axis) })));
  }

  #chip(axis, value) {
    const place = make("span", { class: "mean", hidden: true });
    const many = make("span", { class: "many" });
    const root = make("button", {
      type: "button", class: "chip", "data-keep": `chip ${axis.index} ${value}`,
      title: axis.title(value), onclick: (event) => { if (!this.rested) this.#clicked(axis, value, event.shiftKey || event.altKey); },
      ...this.#pressing(() => this.#clicked(axis, value, true)),
    }, make("span", { class: "what", dir: "auto", text: axis.brief(value, BRIEFLY) }), place, many);
    this.chips.push({ axis, value, root, place, many });
    return root;
  }

  /** A finger has no Shift: it rests. The click of its leaving is not another wish. */
  #pressing(act) {
    const stop = () => clearTimeout(this.timer);
    return {
      onpointerdown: (event) => {
        stop();
        this.rested = false;
        if (event.pointerType === "touch") this.timer = setTimeout(() => { this.rested = true; act(); }, REST);
      },
      onpointerup: stop, onpointercancel: stop, onpointerleave: stop, oncontextmenu: (event) => { if (FINGERS.matches) event.preventDefault(); },
    };
  }

  #clicked(axis, value, alone) {
    const hidden = this.view.hides(axis);
    this.change(() => {
      if (alone) {
        hidden.clear();
        for (const other of axis.numbers) if (other !== value) hidden.add(other);
      } else if (!hidden.delete(value)) hidden.add(value);
    });
  }

  #unfold(axis) {
    this.whole.add(axis);
    this.built = null;
    this.change(() => {});
  }
}
