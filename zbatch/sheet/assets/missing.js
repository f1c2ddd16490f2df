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

/** Show the first of these files that is there; `gone` is called where none is. */
function showFirst(image, files, gone) {
  const left = new Set(files).values();
  const next = () => {
    const { value, done } = left.next();
    if (done) gone();
    else image.src = value;
  };
  image.addEventListener("error", next);
  next();
}
