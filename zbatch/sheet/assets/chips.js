// The side panel: every value of every axis as a chip with its count, to show and to hide.

const FINGERS = matchMedia("(pointer: coarse)");
const CHIPS = 48; // more values than this wait behind a button

class Chips {
  constructor(root, data, view, change, close) {
    Object.assign(this, { root, data, view, change });
    this.closer = button({ label: "Close the values (V)", glyph: "close", act: close, kind: "square quiet closer" });
    this.whole = new Set();
  }

  draw(counts) {
    this.means = [];
    // What one types gives no chip another width: each has room for what it counts without any filter.
    if (!this.view.filtered) this.most = counts;
    else this.most ??= select(this.data, new View(this.data)).counts;
    const sections = this.data.varying.map((axis) => this.#section(axis, counts.get(axis)));
    const clear = this.view.filtered
      ? make("button", { type: "button", class: "link", text: "Clear all filters", onclick: () => this.change(() => this.view.clearFilters()) })
      : null;
    // Asked of an empty panel, it would make the browser lay out a page that is not finished.
    const top = this.root.childElementCount ? this.root.scrollTop : 0;
    this.root.replaceChildren(make("div", { class: "panelhead" }, make("h2", { text: "Values" }), clear, this.closer), this.data.preface?.() ?? "", ...sections,
      make("p", { class: "aside", text: FINGERS.matches ? "A tap hides or shows a value. A long press shows it alone." : "Click hides or shows a value. Shift-click shows it alone." }));
    if (top) this.root.scrollTop = top;
    this.drawMeans();
  }

  /** The mean rating of each value, beside its count. */
  drawMeans() {
    const { judging } = this.data;
    if (judging.empty && !this.meant) return;
    this.meant = !judging.empty;
    const means = new Map();
    for (const { axis, value, place } of this.means) {
      if (!means.has(axis)) means.set(axis, axisOpinions(this.data, judging.all.opinions, axis));
      const own = means.get(axis).get(value);
      place.textContent = own?.mean ? `${own.mean.toFixed(1)}★` : "";
      place.title = own?.mean ? `Mean rating of ${plural(own.ratings, "image")}` : "";
      place.hidden = !own?.mean;
    }
  }

  #section(axis, counts) {
    const hidden = this.view.hides(axis);
    const values = axis.values.map((_, value) => value);
    if (axis.partial) values.push(ABSENT);
    const all = this.whole.has(axis) || values.length <= CHIPS;
    const words = axis.longest > 22;
    return make("section", { class: "axisvalues" },
      make("h3", {}, make("span", { text: axis.name }), hidden.size
        ? make("button", { type: "button", class: "link", text: "all", "data-keep": `all ${axis.index}`, "aria-label": `Show all values of ${axis.name}`, onclick: () => this.change(() => hidden.clear()) })
        : make("span", { class: "many", text: count(values.length) })),
      make("div", { class: `chips${words || this.data.measure ? " long" : ""}`, role: "group", "aria-label": axis.name },
        ...(all ? values : values.slice(0, CHIPS)).map((value) => this.#chip(axis, value, hidden, counts.get(value) ?? 0)),
        all ? null : make("button", { type: "button", class: "link", text: `${count(values.length - CHIPS)} more`, onclick: () => this.#unfold(axis) })));
  }

  #chip(axis, value, hidden, number) {
    const label = axis.label(value);
    const place = make("span", { class: "mean", hidden: true });
    this.means.push({ axis, value, place });
    return make("button", {
      type: "button", class: "chip", "aria-pressed": String(!hidden.has(value)), "data-keep": `chip ${axis.index} ${value}`,
      title: hint(`${axis.name}: ${label}`), onclick: (event) => { if (!this.rested) this.#clicked(axis, value, event.shiftKey || event.altKey); },
      ...this.#pressing(() => this.#clicked(axis, value, true)),
    }, make("span", { class: "what", dir: "auto", text: axis.brief(value, 44) }), place, wide(make("span", { class: "many", text: count(number) }), this.most.get(axis)?.get(value)), this.data.measure?.(axis, value));
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
        for (let other = ABSENT; other < axis.values.length; other += 1) if (other !== value) hidden.add(other);
      } else if (!hidden.delete(value)) hidden.add(value);
    });
  }

  #unfold(axis) {
    this.whole.add(axis);
    this.change(() => {});
  }
}
