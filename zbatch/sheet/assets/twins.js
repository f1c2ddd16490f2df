// Cells that show one job, such as the baseline at scale 0: pointing at one marks the others in view.

class Twins {
  constructor(root, data) {
    Object.assign(this, { root, data, cell: null });
    for (const name of ["pointerover", "focusin"]) root.addEventListener(name, (event) => this.#look(event.target.closest?.(".cell")));
    for (const name of ["pointerleave", "focusout"]) root.addEventListener(name, () => this.#look(null));
  }

  #look(element) {
    const cell = element?.cell ?? null;
    if (cell === this.cell) return;
    this.cell = cell;
    const twins = cell === null ? [] : this.data.twins(cell);
    for (const marked of this.root.querySelectorAll(".cell.twin")) marked.classList.remove("twin");
    if (twins.length < 2) return;
    const all = new Set(twins);
    for (const other of this.root.querySelectorAll(".cell")) other.classList.toggle("twin", other !== element && all.has(other.cell));
  }
}
