// A pair as it lies in the grid: both pictures beside each other, and how far apart they are.

Object.assign(Pairs.prototype, {
  draw(cell, element, box) {
    const { first, second } = this.tiles[this.shapeOf[cell]];
    element.classList.add("pairtile");
    element.style.setProperty("--seam", `${(100 * first) / (first + second)}%`);
    element.append(...[this.partner(cell), cell].map((own) => this.half(own, box)),
      make("span", { class: "apart", text: this.changeWords(cell) }));
    const change = this.change(cell);
    if (change !== null) element.style.setProperty("--change", Math.min(1, change));
  },

  half(cell, box) {
    const done = this.state(cell) === "done";
    const half = make("span", { class: "half", "data-state": done ? "done" : this.state(cell) });
    if (done) half.append(thumbnail(this, cell, half));
    else half.append(...verdict(this, cell, this.state(cell), { width: box.width / 2, height: box.height }));
    return half;
  },

  /** On paper: the two beside each other. */
  print(cell, few) {
    const picture = (own) => (this.state(own) === "done" ? paperPicture(this, own, few) : make("span", { class: "none", text: this.word(own) }));
    return make("div", { class: "printpair" }, picture(this.partner(cell)), picture(cell), make("b", { text: this.changeWords(cell) }));
  },
});
