// Whether a cell has a picture to look at, and why it has none: its state, or a file that is not there any more.

class Missing {
  constructor(data) {
    this.data = data;
    this.gone = new Set(); // jobs whose files turned out to be away, thumbnail and all
  }

  /** They may be back: this one is looked for once more. */
  forgive(cell) {
    this.gone.delete(this.data.job(cell));
  }

  has(cell) {
    return this.data.state(cell) !== "done" || this.gone.has(this.data.job(cell));
  }

  /** What stands for the picture, as an icon's name, a few words and the reason in full. */
  of(cell) {
    const { data } = this;
    if (data.state(cell) !== "done") return { glyph: data.state(cell), words: data.words(cell), reason: data.reason(cell) };
    return { glyph: "missing", words: "file missing", reason: `${data.jobs.file[data.job(cell)]} and its thumbnail are not beside this page.` };
  }
}

/** Show a thumbnail, and where it is away the picture itself; `gone` is called where there is neither. */
function showThumbnail(image, data, cell, gone) {
  const [thumb, whole] = [data.thumb(cell), data.picture(cell)];
  let other = whole === thumb ? null : whole;
  image.addEventListener("error", () => {
    if (other === null) gone();
    else [image.src, other] = [other, null];
  });
  image.src = thumb;
}
