// One picture in the frame: its thumbnail at once, the picture itself when it is decoded, or why there is none.

class Pane {
  constructor(data, kind) {
    Object.assign(this, { data, cell: null });
    this.under = make("img", { class: "under", alt: "" });
    this.image = make("img", { class: kind === "current" ? "original" : "other", alt: "" });
    this.note = make("div", { class: "note" });
    this.root = make("figure", { class: `pane ${kind}` }, this.under, this.image, this.note);
  }

  get images() {
    return [this.under, this.image];
  }

  /** `arrived` is called when the picture itself is on the screen, if nothing else was asked for meanwhile. */
  draw(cell, arrived = () => {}) {
    const { data, image } = this;
    const state = data.state(cell);
    const drawn = state === "done";
    const shown = drawn ? data.picture(cell) : null;
    if (cell === this.cell && shown !== null && shown === this.shown && image.hasAttribute("src")) return;
    Object.assign(this, { cell, shown });
    this.root.dataset.state = state;
    for (const element of this.images) element.hidden = !drawn;
    this.note.hidden = drawn;
    if (!drawn) {
      this.empty();
      this.note.replaceChildren(icon(state), make("b", { text: data.words(cell) }), make("p", { dir: "auto", text: middle(data.reason(cell), 400) }));
      return;
    }
    const [width, height] = data.pixels(cell);
    for (const element of this.images) Object.assign(element, { width, height });
    // The thumbnail stands in, at full size, until the picture itself is decoded.
    this.under.src = data.thumb(cell);
    image.classList.add("coming");
    image.alt = data.describe(cell);
    image.src = data.picture(cell);
    image.decode().then(() => this.#arrived(cell, arrived), () => this.#lost(cell));
  }

  empty() {
    for (const element of this.images) element.removeAttribute("src");
  }

  #arrived(cell, arrived) {
    if (cell !== this.cell) return;
    this.image.classList.remove("coming");
    arrived();
  }

  #lost(cell) {
    if (cell !== this.cell || this.image.complete === false || this.image.naturalWidth > 0) return;
    this.image.hidden = true;
    announce(`${this.data.jobs.file[this.data.job(cell)]} is missing: this is its thumbnail`);
  }
}
