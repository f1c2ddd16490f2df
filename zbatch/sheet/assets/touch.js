// Fingers on the grid: two change the size of the pictures, one that rests says what a pointer's hint would.

const REST = 550; // milliseconds

class Touch {
  constructor(root, { size, resize }) {
    Object.assign(this, { root, size, resize });
    this.spread = null;
    root.addEventListener("touchstart", (event) => this.#down(event), { passive: true });
    this.moved = (event) => this.#move(event);
    this.ended = () => this.#up();
    root.addEventListener("scroll", () => clearTimeout(this.timer), { passive: true });
    root.addEventListener("contextmenu", (event) => { if (this.resting) event.preventDefault(); });
    root.addEventListener("click", (event) => this.#swallow(event), { capture: true });
  }

  #down(event) {
    clearTimeout(this.timer);
    this.resting = false;
    // What a finger does is told to the element that it came down on, also when a new size took that out of the page.
    for (const { target } of event.changedTouches) {
      target.addEventListener("touchmove", this.moved, { passive: false });
      for (const end of ["touchend", "touchcancel"]) target.addEventListener(end, this.ended);
    }
    const cell = event.touches.length === 1 ? event.target.closest(".cell") : null;
    if (cell) this.timer = setTimeout(() => { this.resting = true; announce(cell.title, { time: 5000 }); }, REST);
    this.spread = event.touches.length === 2 ? { from: apart(event.touches), size: this.size() } : null;
  }

  #move(event) {
    clearTimeout(this.timer);
    if (!this.spread || event.touches.length !== 2) return;
    event.preventDefault();
    this.wanted = (this.spread.size * apart(event.touches)) / Math.max(1, this.spread.from);
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.resize(this.wanted);
    });
  }

  #up() {
    clearTimeout(this.timer);
    this.spread = null;
  }

  /** The finger that rested has had its answer: lifting it opens nothing. */
  #swallow(event) {
    if (!this.resting) return;
    this.resting = false;
    event.stopPropagation();
    event.preventDefault();
  }
}

const apart = ([one, other]) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
