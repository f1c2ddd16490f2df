// The references of a comparison, in order: cells that were pinned, or a relation for which these stand aside.

class Pins {
  constructor(references = [], aside = [], facing = 0) {
    Object.assign(this, { references, aside });
    this.facing = facing; // which of several stands against this picture where only one can
  }

  /** What an address says of them. `begun`: it says that they are compared with, not only that they are there. */
  static read(words, cellOf) {
    let lost = 0; // named, and not in this sheet
    const all = (word, known) => {
      const named = words.getAll(word).map((name) => (known(name) ? name : cellOf(name)));
      lost += named.filter((one) => one === null).length;
      return [...new Set(named.filter((one) => one !== null))].slice(0, MOST_PINS);
    };
    const references = all("ref", (name) => Object.hasOwn(RELATIONS, name));
    const pinned = all("pin", () => false);
    const begun = references.length > 0;
    const most = Math.max(references.length, pinned.length);
    const facing = Math.max(0, Math.min(most, Math.trunc(Number(words.get("face"))) || 1) - 1);
    return Object.assign(begun ? new Pins(references, pinned, facing) : new Pins(pinned, [], facing), { begun, lost });
  }

  write(words, nameOf, begun) {
    if (begun) for (const reference of this.references) words.append("ref", typeof reference === "number" ? nameOf(reference) : reference);
    if (this.facing > 0) words.set("face", this.facing + 1);
    for (const pin of begun ? this.aside : this.references) words.append("pin", nameOf(pin));
  }

  /** Which one more takes the place of, if all are taken: the last, but never the one that is looked at. */
  get replaced() {
    if (this.references.length < MOST_PINS) return null;
    return this.facing === MOST_PINS - 1 ? MOST_PINS - 2 : MOST_PINS - 1;
  }

  add(cell) {
    this.references[this.replaced ?? this.references.length] = cell;
  }

  drop(at) {
    this.references.splice(at, 1);
    if (at < this.facing || this.facing === this.references.length) this.facing = Math.max(0, this.facing - 1);
  }

  /** A relation in place of pins, which wait meanwhile. */
  relate(relation) {
    this.aside = this.#pinned;
    this.references = [relation];
  }

  /** Comparing ends: only pins stay. */
  rest() {
    this.references = this.#pinned;
    this.aside = [];
  }

  get #pinned() {
    const pinned = this.references.filter((reference) => typeof reference === "number");
    return pinned.length ? pinned : this.aside;
  }
}
