// What of the grid is in the page, by what it shows. Whatever goes on being shown stays, in another layout too:
// made anew at every key of a search, it would be thrown away by the thousand. Pictures that left wait aside for
// a while: who hides a value and shows it again finds them there, and nothing is read anew.

const ASIDE = 170; // pictures: two windows full

class Surface {
  constructor(root) {
    Object.assign(this, { root, elements: new Map(), aside: new Map(), round: 0 });
  }

  get(id) {
    return this.elements.get(id);
  }

  /** The layout is another: what is there has yet to be held against it. */
  renew() {
    this.round += 1;
  }

  /** Take something out: it is drawn anew when it is wanted again. */
  forget(id) {
    this.elements.get(id)?.remove();
    this.elements.delete(id);
    this.change();
  }

  clear() {
    for (const id of [...this.elements.keys()]) this.forget(id);
    this.change();
  }

  /** Of some picture something else is to be seen: what waits aside may show it as it was. */
  change() {
    this.aside.clear();
  }

  /**
   * Have in the page what is wanted and nothing else, in this order: what is read aloud, and reached by Tab, follows it.
   * By name: where it goes, which may be the name of something before it; how to draw it, which gets what is there, to
   * give it back where it is as it should be. `blanks` says whether those may stay.
   */
  show(wanted, blanks) {
    const focused = document.activeElement?.cell;
    for (const [id, element] of this.elements) {
      if (wanted.has(id) && (blanks || !element.blank)) continue;
      // A focused cell that leaves the window hands the focus to the grid, so that arrow keys go on working.
      if (element.contains(document.activeElement)) this.root.focus({ preventScroll: true });
      this.#leave(id, element);
    }
    const ends = new Map(); // by parent, the last one that is in its place
    for (const [id, { into, draw }] of wanted) {
      const element = this.#drawn(id, draw);
      const parent = typeof into === "string" ? this.elements.get(into) : into;
      const place = ends.has(parent) ? ends.get(parent).nextSibling : parent.firstChild;
      if (place !== element) parent.insertBefore(element, place);
      ends.set(parent, element);
    }
    return focused;
  }

  #leave(id, element) {
    element.remove();
    this.elements.delete(id);
    // One whose file was missing looks for it again.
    if (element.cell === undefined || element.blank || element.dataset.state === "missing") return;
    element.classList.remove("twin", "fresh"); // for who was there
    this.aside.set(id, element);
    if (this.aside.size > ASIDE) this.aside.delete(this.aside.keys().next().value);
  }

  #drawn(id, draw) {
    const old = this.elements.get(id);
    if (old?.round === this.round) return old;
    const element = draw(old ?? this.aside.get(id));
    if (element !== old) old?.remove();
    if (!element.blank) this.aside.delete(id);
    this.elements.set(id, element);
    element.round = this.round;
    return element;
  }
}
