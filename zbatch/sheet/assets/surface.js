// What of the grid is in the page, by what it shows. Whatever goes on being shown stays, in another layout too:
// made anew at every key of a search, it would be thrown away by the thousand.

class Surface {
  constructor(root) {
    Object.assign(this, { root, elements: new Map(), round: 0 });
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
  }

  clear() {
    for (const id of [...this.elements.keys()]) this.forget(id);
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
      this.forget(id);
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

  #drawn(id, draw) {
    const old = this.elements.get(id);
    if (old?.round === this.round) return old;
    const element = draw(old);
    if (element !== old) {
      old?.remove();
      this.elements.set(id, element);
    }
    element.round = this.round;
    return element;
  }
}
