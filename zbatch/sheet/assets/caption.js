// What stands under a picture of the wall: short values whole, and under them what is long, shortened to where it differs.

const WHOLLY = 16; // letters; a longer value may be shortened
const LETTER = { short: 5.8, long: 6.2 }; // pixels, about: short values are digits and narrow letters more often
const CAPTION = { padding: 9, line: 17, most: 4 };

class Captions {
  constructor(data, view, size, width) {
    const axes = data.varying.filter((axis) => !view.groups.includes(axis));
    Object.assign(this, { data, long: axes.filter((axis) => axis.longest > WHOLLY), changes: view.sort === "change" });
    // The lines break alike under every picture, as the longest values need it under the narrowest one.
    const narrowest = data.tileAspects.reduce((least, aspect) => Math.min(least, aspect), 1);
    // Rows are filled by a picture more than would fit, all of them a little lower.
    const fitting = Math.max(1, Math.floor(width / (size * narrowest)));
    const room = Math.floor((size * narrowest * fitting) / (fitting + 1) / LETTER.short);
    this.short = inLines(axes.filter((axis) => axis.longest <= WHOLLY), room);
    // Small pictures are not to drown in words.
    this.most = Math.max(1, Math.min(size < 100 ? 2 : CAPTION.most, this.short.length + this.long.length + Number(this.changes)));
    this.height = CAPTION.padding + CAPTION.line * this.most;
  }

  #short(cell, axes) {
    return axes.filter(({ column }) => column[cell] !== ABSENT).map((axis) => {
      const label = axis.label(axis.column[cell]);
      return wantsName(axis) ? `${axis.short}\u00a0${label}` : label;
    }).join(" · ");
  }

  /** What the wall is sorted by where nothing else shows it. */
  #change(cell) {
    const change = this.changes ? this.data.change(cell) : null;
    return change === null ? "" : `change\u00a0${change.toFixed(2)}`;
  }

  #long(cell, room) {
    const long = this.long.filter(({ column }) => column[cell] !== ABSENT).map((axis) => axis.brief(axis.column[cell], room));
    return long.length || this.short.length ? long : [middle(this.data.prompt(cell), room)];
  }

  /** The words where there is room for all of them. */
  words(cell) {
    return [this.#change(cell), this.#short(cell, this.short.flat()), ...this.#long(cell, 60)].filter(Boolean).join("\n");
  }

  /** The words under a picture so wide, as many lines as there is room for. */
  lines(cell, width) {
    const lines = [this.#change(cell), ...this.short.map((axes) => this.#short(cell, axes)), ...this.#long(cell, Math.floor(width / LETTER.long))];
    return lines.filter(Boolean).slice(0, this.most).join("\n");
  }
}

/** Have this text under a cell's element, or none. */
function caption(element, text) {
  if ((element.caption?.text ?? "") === text) return;
  element.caption?.root.remove();
  element.caption = text ? { text, root: make("span", { class: "caption", dir: "auto", text }) } : null;
  if (element.caption) element.append(element.caption.root);
}

/** A number or a yes says nothing without the name of its axis. */
const wantsName = (axis) => axis.numeric || typeof axis.values[0] === "boolean";

/** Axes whose values stand in one line of so many letters, filled from the end: what varies most is written last. */
function inLines(axes, room) {
  const lines = [];
  let left = 0;
  for (const axis of axes.toReversed()) {
    const letters = axis.longest + (wantsName(axis) ? axis.short.length + 1 : 0);
    if (lines.length && letters + 3 <= left) lines[0].unshift(axis);
    else {
      lines.unshift([axis]);
      left = room + 3;
    }
    left -= letters + 3;
  }
  return lines;
}
