// One picture in the frame: its thumbnail at once, the picture itself when it is decoded, or why there is none.

class Pane {
  /** `lost` is called when a picture turns out to be gone, thumbnail and all. */
  constructor(missing, kind, lost) {
    Object.assign(this, { data: missing.data, missing, lost, cell: null });
    this.under = make("img", { class: "under", alt: "", onerror: () => { this.under.hidden = true; this.#lookAgain(); } });
    this.image = make("img", { class: kind === "current" ? "original" : "other", alt: "", onerror: () => this.#lookAgain() });
    this.note = make("div", { class: "note" });
    this.root = make("figure", { class: `pane ${kind}` }, this.under, this.image, this.note);
  }

  get images() {
    return [this.under, this.image];
  }

  /** `arrived` is called when the picture itself is on the screen, if nothing else was asked for meanwhile. */
  draw(cell, arrived = () => {}) {
    const { data, image } = this;
    const drawn = !this.missing.has(cell);
    const shown = drawn ? data.picture(cell) : null;
    if (cell === this.cell && shown !== null && shown === this.shown && image.hasAttribute("src")) return;
    Object.assign(this, { cell, shown });
    this.root.style.setProperty("--shape", data.aspect(cell));
    for (const element of this.images) element.hidden = !drawn;
    this.note.hidden = drawn;
    if (!drawn) {
      this.#blank();
      this.say("");
      return;
    }
    this.root.dataset.state = "done";
    const [width, height] = data.pixels(cell);
    for (const element of this.images) Object.assign(element, { width, height });
    // The thumbnail stands in, at full size, until the picture itself is decoded.
    this.under.src = data.thumb(cell);
    image.classList.add("coming");
    image.alt = visible(data.describe(cell));
    image.src = data.picture(cell);
    image.decode().then(() => this.#arrived(cell, arrived), () => this.#failed(cell));
  }

  /** Why there is no picture; `also` is what follows from that. */
  say(also) {
    if (this.note.hidden) return;
    const { glyph, words, reason } = this.missing.of(this.cell);
    this.root.dataset.state = glyph;
    this.note.replaceChildren(icon(glyph), make("b", { text: words }), also ? make("p", { class: "also", text: also }) : "",
      reason ? make("p", { class: "reason", dir: "auto", tabindex: reason.length > 200 ? 0 : null, text: reason }) : "");
  }

  /** Show nothing: what is still on its way is of no concern any more. */
  empty() {
    this.cell = null;
    this.#blank();
  }

  #blank() {
    for (const element of this.images) element.removeAttribute("src");
  }

  #arrived(cell, arrived) {
    if (cell !== this.cell) return;
    this.image.classList.remove("coming");
    arrived();
  }

  #failed(cell) {
    if (cell !== this.cell || this.image.complete === false || this.image.naturalWidth > 0) return;
    this.image.hidden = true;
    const words = this.data.lost ? this.data.lost(cell) : `${this.data.jobs.file[this.data.job(cell)]} is missing: this is its thumbnail`;
    if (words) announce(words, { time: 4000 });
  }

  #lookAgain() {
    const gone = this.images.every((image) => image.hasAttribute("src") && image.complete && image.naturalWidth === 0);
    if (!gone || this.cell === null || this.missing.has(this.cell)) return;
    this.missing.gone.add(this.data.job(this.cell));
    hush();
    this.lost();
  }
}
