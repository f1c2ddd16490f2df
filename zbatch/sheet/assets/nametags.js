// Which picture is which: a name in the upper corner of each, inside the picture as far as that is in view.

const INSET = 8; // pixels between a name and the edge of its picture
const NARROWEST = 76; // no name is pressed together further than this
const LONG = 24; // letters of a value that needs no axis named with it: a prompt

/** Says of a cell what tells it from the others of these: the values of the axes in which they differ. */
function tellingWords(data, cells, room) {
  const differing = data.varying.filter((axis) => new Set(cells.map((cell) => axis.column[cell])).size > 1);
  const said = (axis, cell) => (axis.longest > LONG ? "" : `${axis.short} `) + axis.brief(axis.column[cell], room);
  return (cell) => differing.map((axis) => said(axis, cell)).join(", ");
}

class NameTags {
  constructor(data) {
    this.data = data;
    this.root = make("div", { class: "names" });
  }

  /** `shown` are `{ words, cell }`; each name says what tells its picture from the others. One that has an `act` is clicked. */
  draw(shown) {
    const telling = tellingWords(this.data, shown.map(({ cell }) => cell), innerWidth <= 640 ? 20 : 28);
    this.root.replaceChildren(...shown.map(({ words, cell, act }) => make(act ? "button" : "div", { class: "nametag", type: act && "button", title: act?.title, onclick: act?.click }, make("b", { text: words }),
      telling(cell) ? make("span", { dir: "auto", text: telling(cell) }) : null)));
  }

  /** One line instead of names, where there is nothing to name. */
  say(words) {
    this.root.replaceChildren(make("div", { class: "nametag" }, make("b", { text: words })));
  }

  /** `pictures` are what is in view of each, in pixels of the frame; `facing`: two on one place share its width. */
  place(pictures, facing, wide) {
    [...this.root.children].forEach((tag, index) => {
      const { left, right, top } = pictures[index] ?? pictures[0];
      const room = Math.max(NARROWEST, (right - left) / (facing ? 2 : 1) - 2 * INSET);
      tag.style.maxWidth = `${Math.min(room, wide - 2 * INSET)}px`;
      tag.style.top = `${top + INSET}px`;
      const ends = facing && index > 0;
      tag.style.left = ends ? "auto" : `${Math.max(INSET, Math.min(left + INSET, wide - NARROWEST - INSET))}px`;
      tag.style.right = ends ? `${Math.max(INSET, wide - right + INSET)}px` : "auto";
    });
  }
}
