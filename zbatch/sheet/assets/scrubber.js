// A strip along one axis with everything else held: drag it and watch what the axis does.

const TICKS = 40; // more stops than this are a bare slider
const DRAGGED = 4; // pixels: less is a click on a picture
const FEW = 5; // so many have room for two words each

/** Axes along which the cell has neighbours in the grid as it is filtered now, each with its line of cells. */
function linesThrough(data, layout, cell) {
  return data.varying
    .filter((axis) => axis.column[cell] !== ABSENT)
    .map((axis) => ({ axis, cells: data.line(cell, axis).filter((other) => layout.at(other) !== null || other === cell) }))
    .filter(({ cells }) => cells.length > 1);
}

/** The axis a person most likely wants to scrub: the one they scrubbed, else a scale, else any number. */
function favourite(lines, wanted) {
  const rank = ({ axis }) => (axis === wanted ? 0 : axis.name === "lora.scale" ? 1 : axis.numeric && axis.name !== "seed" ? 2 : axis.numeric ? 3 : 4);
  return lines.reduce((best, line) => (best === null || rank(line) < rank(best) ? line : best), null);
}

class Scrubber {
  constructor(data, { go, choose }) {
    Object.assign(this, { data, go, choose });
    this.root = make("div", { class: "scrubber" });
    this.curve = new Curve(data);
    new ResizeObserver(() => this.#measure()).observe(this.root);
  }

  draw(cell, lines, line) {
    this.root.hidden = line === null;
    if (line === null) return;
    const at = line.cells.indexOf(cell);
    if (this.cells && this.axis === line.axis && this.cells.join() === line.cells.join()) this.#move(at);
    else this.#build(lines, line, at);
  }

  #build(lines, { axis, cells }, at) {
    const focused = this.root.contains(document.activeElement) ? document.activeElement.tagName : null;
    this.axis = axis;
    this.cells = cells;
    const list = make("select", { "aria-label": "Axis of the strip", onchange: () => this.choose(this.data.byName.get(list.value)) },
      ...lines.map((line) => make("option", { value: line.axis.name, text: line.axis.name, selected: line.axis === axis })));
    this.range = make("input", {
      type: "range", min: 0, max: cells.length - 1, step: 1, "aria-label": axis.name, oninput: () => this.go(this.cells[Number(this.range.value)]),
    });
    this.stops = cells.length <= TICKS ? cells.map((cell) => this.#stop(cell)) : [];
    this.strip = make("div", { class: "strip", onpointerdown: (event) => this.#press(event), onpointermove: (event) => this.#drag(event), onpointerup: () => this.#let(), onpointercancel: () => this.#let() }, ...this.stops);
    this.root.style.setProperty("--stops", cells.length);
    this.value = make("output", {});
    this.curve.build(axis, cells);
    this.root.replaceChildren(make("div", { class: "pick" }, list, this.value), make("div", { class: "track" }, this.strip, this.range, this.curve.root));
    this.#measure();
    this.#move(at);
    if (focused === "INPUT") this.range.focus();
    if (focused === "SELECT") list.focus();
  }

  #stop(cell) {
    const state = this.data.state(cell);
    const none = (why) => make("span", { class: "none", "data-state": why }, icon(why));
    const picture = state === "done" ? make("img", { alt: "", draggable: "false", decoding: "async" }) : none(state);
    if (state === "done") showFirst(picture, [this.data.thumb(cell), this.data.picture(cell)], () => picture.replaceWith(none("missing")));
    const label = this.axis.brief(this.axis.column[cell], this.cells.length > FEW ? 10 : innerWidth > 860 ? 16 : 12);
    return make("button", {
      type: "button", class: "stop", tabindex: -1, title: this.data.describe(cell), "aria-label": `${this.axis.short} ${label}`, onclick: () => this.go(cell),
    }, picture, make("span", { class: "tick", text: label }));
  }

  /** A strip wider than its place is moved by a finger, as such a thing is; one that fits is dragged over. */
  #measure() {
    const track = this.strip?.parentElement;
    track?.classList.toggle("over", track.scrollWidth > track.clientWidth + 1);
  }

  /** The strip is dragged by its pictures, too: what lies under the pointer is shown. A click chooses one. */
  #press(event) {
    const moves = event.pointerType === "touch" && this.strip.parentElement.classList.contains("over");
    this.pressed = event.isPrimary && event.button === 0 && !moves ? { x: event.clientX, dragged: false } : null;
  }

  #drag(event) {
    const { pressed, strip, cells } = this;
    if (!pressed) return;
    if (!pressed.dragged && Math.abs(event.clientX - pressed.x) < DRAGGED) return;
    if (!pressed.dragged) strip.setPointerCapture(event.pointerId); // from here on it is no click
    pressed.dragged = true;
    const { left, width } = strip.getBoundingClientRect();
    const at = Math.min(cells.length - 1, Math.max(0, Math.floor(((event.clientX - left) / width) * cells.length)));
    if (at !== Number(this.range.value)) this.go(cells[at]);
  }

  #let() {
    this.pressed = null;
  }

  #move(at) {
    this.range.value = at;
    this.range.setAttribute("aria-valuetext", visible(this.axis.label(this.axis.column[this.cells[at]])));
    const change = this.curve.root.hidden ? null : this.data.change(this.cells[at], this.axis);
    this.value.replaceChildren(visible(this.axis.brief(this.axis.column[this.cells[at]], 20)),
      ...(change === null ? [] : [make("small", { text: `change ${change.toFixed(2)}` })]));
    this.curve.move(at);
    this.stops.forEach((stop, index) => stop.toggleAttribute("data-current", index === at));
  }
}
