// Where things stand in the frame: how many panes beside each other, and what of each picture is in view.

const SEAM = 6; // pixels between panes

class Arrangement {
  /** `cells` are what is seen, `beside` tells whether they lie beside each other or on one another. */
  constructor(frame, data, zoom, cells, beside) {
    Object.assign(this, { frame, data, zoom, cells });
    this.aspects = cells.map((cell) => data.aspect(cell));
    this.count = beside ? cells.length : 1;
    this.widest = Math.max(...this.aspects);
    this.columns = bestColumns(this.count, this.widest, roomFor(frame));
    this.rows = Math.ceil(this.count / this.columns);
  }

  /** Write it into the styles, and measure what came of it. */
  apply() {
    const { frame, columns, rows, widest } = this;
    frame.style.setProperty("--columns", columns);
    frame.style.setProperty("--aspect", (widest * columns) / rows);
    this.height = (frame.clientHeight - SEAM * (rows - 1)) / rows;
    const room = (frame.clientWidth - SEAM * (columns - 1)) / columns;
    // Beside each other, panes are no wider than their pictures: the eye has less far to go.
    this.width = this.count > 1 ? Math.min(room, this.height * widest) : room;
    frame.style.setProperty("--pane", `${this.width}px`);
  }

  /** How wide a picture is drawn before any zoom. */
  fit(cell) {
    return Math.min(this.width, this.height * this.data.aspect(cell));
  }

  /** The part of each picture that is in view, in pixels of the frame. */
  get pictures() {
    return this.aspects.map((aspect, index) => this.#picture(aspect, this.count > 1 ? index : 0));
  }

  #picture(aspect, place) {
    const { width, height, zoom, columns, count } = this;
    const inRow = Math.min(columns, count);
    const start = (this.frame.clientWidth - inRow * width - (inRow - 1) * SEAM) / 2;
    const [x, y] = [start + (place % columns) * (width + SEAM), Math.floor(place / columns) * (height + SEAM)];
    const half = (Math.min(width, height * aspect) / 2) * zoom.scale;
    const halfHigh = (Math.min(height, width / aspect) / 2) * zoom.scale;
    return {
      left: x + Math.max(0, width / 2 + zoom.x - half), right: x + Math.min(width, width / 2 + zoom.x + half),
      top: y + Math.max(0, height / 2 + zoom.y - halfHigh), bottom: y + Math.min(height, height / 2 + zoom.y + halfHigh),
    };
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
