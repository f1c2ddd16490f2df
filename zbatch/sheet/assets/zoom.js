// Looking closer: wheel or double click zooms to the pointer, dragging moves. Kept from picture to picture.

const CLOSEST = 16;

class Zoom {
  /**
   * `drawn` is called after each change. Where the frame holds several panes, all of them move alike. Where a click
   * on a picture has a meaning of its own (`chosen`), two of them do not zoom, and one that dragged is none.
   */
  constructor(frame, images, drawn, { pane = ".pane", chosen = false } = {}) {
    Object.assign(this, { frame, images, drawn, pane, chosen });
    this.reset();
    frame.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    if (!chosen) frame.addEventListener("dblclick", (event) => this.#toggle(event));
    frame.addEventListener("pointerdown", (event) => this.#grab(event));
    frame.addEventListener("pointermove", (event) => this.#drag(event));
    // A browser drags the picture itself off the page, and takes the pointer away with it.
    frame.addEventListener("dragstart", (event) => { if (this.closer) event.preventDefault(); });
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => { this.grabbed = null; frame.classList.remove("grabbing"); });
    this.pinch = new Pinch(frame, (factor, from, to) => this.#pinched(factor, from, to));
  }

  get closer() {
    return this.scale > 1;
  }

  reset() {
    Object.assign(this, { scale: 1, x: 0, y: 0, grabbed: null });
    this.#draw();
  }

  /** Change the scale so that the point under the pointer (the middle without one) stays where it is. */
  by(factor, event = null) {
    const pane = event?.target.closest(this.pane) ?? this.frame.querySelector(`${this.pane}.current`) ?? this.frame.querySelector(this.pane);
    if (pane === null) return;
    const box = pane.getBoundingClientRect();
    const [px, py] = event ? [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2] : [0, 0];
    const scale = Math.min(CLOSEST, Math.max(1, this.scale * factor));
    this.x = px - ((px - this.x) * scale) / this.scale;
    this.y = py - ((py - this.y) * scale) / this.scale;
    this.scale = scale;
    if (scale === 1) this.x = this.y = 0;
    this.#draw();
  }

  /** Keys that bring closer, farther, and the whole back: whether it was one of them. */
  pressed(key) {
    if (["+", "="].includes(key)) this.by(1.4);
    else if (key === "-") this.by(1 / 1.4);
    else if (key === "0") this.reset();
    else return false;
    return true;
  }

  /** The pictures are drawn larger or smaller than before: what was in the middle stays there. */
  refit(ratio) {
    this.x *= ratio;
    this.y *= ratio;
    this.#transform();
  }

  /** Two fingers: what lay between them goes along with them. */
  #pinched(factor, from, to) {
    this.grabbed = null;
    this.by(factor, from);
    if (!this.closer) return;
    this.x += to.clientX - from.clientX;
    this.y += to.clientY - from.clientY;
    this.#draw();
  }

  #wheel(event) {
    if (event.target.closest(".reason")) return; // a long one scrolls
    event.preventDefault();
    this.by(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0018)), event);
  }

  #toggle(event) {
    if (event.target.closest("button")) return;
    if (this.closer) this.reset();
    else this.by(3, event);
  }

  #grab(event) {
    if (!this.closer || this.pinch?.on || event.button !== 0 || (!this.chosen && event.target.closest("button"))) return;
    this.grabbed = { x: event.clientX - this.x, y: event.clientY - this.y, from: event, dragged: !this.chosen };
    if (this.grabbed.dragged) this.#hold(event);
  }

  #hold(event) {
    this.frame.classList.add("grabbing");
    this.frame.setPointerCapture(event.pointerId); // from here on it is no click
  }

  #drag(event) {
    if (!this.grabbed || this.pinch.on) return;
    const { from, dragged } = this.grabbed;
    if (!dragged) {
      if (Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) < DRAGGED) return;
      this.grabbed.dragged = true;
      this.#hold(event);
    }
    this.x = event.clientX - this.grabbed.x;
    this.y = event.clientY - this.grabbed.y;
    this.#draw();
  }

  #draw() {
    this.#transform();
    this.drawn();
  }

  #transform() {
    const transform = this.scale === 1 ? "" : `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    for (const image of this.images) image.style.transform = transform;
    this.frame.classList.toggle("closer", this.closer);
  }
}
