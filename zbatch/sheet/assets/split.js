// The line between two pictures that lie on one another, with a grip: dragged, or moved by the arrows where it has the focus.

class SplitHandle {
  constructor(moved) {
    Object.assign(this, { moved, left: 0, right: 1 });
    this.root = make("div", {
      class: "handle", role: "slider", tabindex: 0, "aria-label": "How much of the reference shows", "aria-valuemin": 0, "aria-valuemax": 100, hidden: true,
      onkeydown: (event) => this.#pressed(event), onpointerdown: (event) => this.#grab(event), onpointermove: (event) => this.#drag(event), ondblclick: (event) => event.stopPropagation(),
    }, make("span", { class: "grip" }, icon("left"), icon("right")));
    for (const end of ["pointerup", "pointercancel"]) this.root.addEventListener(end, (event) => { this.offset = null; event.stopPropagation(); });
    this.offset = null;
  }

  /** Stand in the frame, as high as the higher picture, as far as that is in view. */
  place(frame, split, pictures) {
    const ends = (side, pick) => pick(...pictures.map((picture) => picture[side]));
    const [left, right] = [ends("left", Math.min), ends("right", Math.max)];
    frame.style.setProperty("--split", `${left + split * Math.max(0, right - left)}px`);
    frame.style.setProperty("--top", `${ends("top", Math.min)}px`);
    frame.style.setProperty("--bottom", `${frame.clientHeight - ends("bottom", Math.max)}px`);
    Object.assign(this, { split, left, right });
    this.root.setAttribute("aria-valuenow", Math.round(split * 100));
    this.root.setAttribute("aria-valuetext", `${Math.round(split * 100)} % reference`);
  }

  #grab(event) {
    event.stopPropagation();
    event.preventDefault();
    this.root.focus({ preventScroll: true });
    this.offset = event.clientX - this.#line();
    this.root.setPointerCapture(event.pointerId);
  }

  #drag(event) {
    if (this.offset === null) return;
    event.stopPropagation();
    const x = event.clientX - this.offset - this.root.parentElement.getBoundingClientRect().left;
    this.moved((x - this.left) / Math.max(1, this.right - this.left));
  }

  #line() {
    const box = this.root.getBoundingClientRect();
    return box.left + box.width / 2;
  }

  #pressed(event) {
    const step = event.shiftKey ? 0.1 : 0.02;
    const places = { ArrowLeft: this.split - step, ArrowDown: this.split - step, ArrowRight: this.split + step, ArrowUp: this.split + step, Home: 0, End: 1 };
    if (!(event.key in places) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.moved(places[event.key]);
  }
}
