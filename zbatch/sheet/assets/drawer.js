// The panel of values where there is no room beside it: it lies over the grid, and goes as such a thing goes.

class Drawer {
  /** `beside` is what it lies over: a tap there closes it, and does nothing else. */
  constructor(panel, beside, close) {
    const narrow = matchMedia("(max-width: 640px)");
    const over = () => narrow.matches && !panel.hidden;
    beside.addEventListener("click", (event) => {
      if (!over()) return;
      event.stopPropagation();
      event.preventDefault();
      close();
    }, { capture: true });
    addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !over() || event.defaultPrevented || document.querySelector("dialog[open]") || event.target.matches("input, select")) return;
      event.preventDefault();
      close();
    });
  }
}
