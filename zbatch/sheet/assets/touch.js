// Fingers on the grid: two change the size of the pictures, one that rests says what a pointer's hint would.

const REST = 550; // milliseconds

class Touch {
  constructor(root, { size, resize }) {
    Object.assign(this, { root, size, resize });
    this.spread = null;
    root.addEventListener("touchstart", (event) => this.#down(event), { passive: true });
    root.addEventListener("touchmove", (event) => this.#move(event), { passive: false });
    for (const end of ["touchend", "touchcancel"]) root.addEventListener(end, () => this.#up());
    root.addEventListener("scroll", () => clearTimeout(this.timer), { passive: true });
    root.addEventListener("contextmenu", (event) => { if (this.resting) event.preventDefault(); });
    root.addEventListener("click", (event) => this.#swallow(event), { capture: true });
  }

  #down(event) {
    clearTimeout(this.timer);
    this.resting = false;
    const cell = event.touches.length === 1 ? event.target.closest(".cell") : null;
    if (cell) this.timer = setTimeout(() => { this.resting = true; announce(cell.title, 5000); }, REST);
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
