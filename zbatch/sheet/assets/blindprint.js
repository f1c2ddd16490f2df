// A picture in blind mode: drawn, so that the document holds neither its address nor its name.

/** A picture without an address in the page: what it is called, and what it is of, is nowhere to be read. */
class Print {
  constructor(words) {
    this.canvas = make("canvas", { role: "img", "aria-label": words, width: 1, height: 1 });
  }

  clear() {
    Object.assign(this.canvas, { width: 1, height: 1 });
  }

  /** Without so many pixels at its foot, where the preview writes what it was asked for. */
  draw(image, foot) {
    Object.assign(this.canvas, { width: image.naturalWidth, height: image.naturalHeight - foot });
    this.canvas.getContext("2d").drawImage(image, 0, 0);
  }
}

/** How high the preview's stamp is, with its margins (zbatch/server/engines/preview_stamp.py). */
function stampHeight({ naturalWidth, naturalHeight }) {
  const least = Math.min(naturalWidth, naturalHeight);
  const letters = Math.max(9, Math.round(least / 82));
  return letters + 2 * Math.ceil(letters * 0.45) + 2 * Math.ceil(least * 0.014);
}
