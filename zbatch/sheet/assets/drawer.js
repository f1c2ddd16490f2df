// The panel of values where there is no room beside it: it lies over the grid, and goes as such a thing goes.

class Drawer {
  /** `beside` is what it lies over: a tap there closes it, and does nothing else. */
  constructor(panel, beside, close) {
    Object.assign(this, { panel, narrow: matchMedia("(max-width: 640px)") });
    beside.addEventListener("click", (event) => {
      if (!this.over) return;
      event.stopPropagation();
      event.preventDefault();
      close();
    }, { capture: true });
  }

  /** Whether it lies over the grid now, and Escape means it. */
  get over() {
    return this.narrow.matches && !this.panel.hidden;
  }
}
