// The address, written as the view changes, and the browser's history: one step for a picture that is opened.

const SETTLES = 120; // milliseconds; browsers refuse more than some hundred writes a minute or so: a slider's last one counts
const SURELY = 1000; // by then a step back was made, if there was one to make

class Trail {
  /** `came` is told of an address that was not written here, `left` of a step back out of the picture; `inside`: one is open. */
  constructor({ came, left, inside }) {
    Object.assign(this, { came, left, inside });
    this.hash = this.written = location.hash; // what one sees, and what stands there
    this.deep = Boolean(history.state?.picture); // this step is the picture's
    this.under = null; // the address below it
    this.leaving = null; // a step back is under way
    addEventListener("pagehide", () => this.#settle());
    for (const kind of ["popstate", "hashchange"]) addEventListener(kind, () => this.#moved());
  }

  write(hash) {
    this.hash = hash;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#settle(), SETTLES);
  }

  #settle() {
    clearTimeout(this.timer);
    if (this.leaving || location.hash !== this.written) return; // a link was followed meanwhile: it is about to be read
    this.#put("replaceState", history.state);
  }

  /** Tell whether the browser took it: it may refuse where there were too many, or in a frame without an address. */
  #put(way, state) {
    try {
      history[way](state, "", this.hash);
    } catch {
      return false;
    }
    this.written = location.hash;
    return true;
  }

  /** Open a picture: Back closes it. Walking from there on is no further step. */
  enter(open) {
    this.#settle();
    open();
    if (!this.leaving) this.#push();
  }

  #push() {
    if (this.deep) return;
    clearTimeout(this.timer);
    this.under = this.written;
    this.deep = this.#put("pushState", { picture: true });
  }

  /** The picture was closed by a key or a click: its step goes, too. */
  leave() {
    if (!this.deep || this.leaving) return;
    this.leaving = setTimeout(() => this.#gone(), SURELY);
    history.back();
  }

  #gone() {
    clearTimeout(this.leaving);
    this.leaving = null;
    this.deep = false;
    this.written = location.hash;
    if (this.inside()) this.#push(); // another was opened before the step was made
    else this.#settle();
  }

  #moved() {
    if (this.leaving) {
      this.#gone();
      return;
    }
    const deep = Boolean(history.state?.picture);
    if (location.hash === this.written && deep === this.deep) return;
    const back = this.deep && !deep && location.hash === this.under;
    if (deep && !this.deep) this.under = this.written;
    this.deep = deep;
    this.written = location.hash;
    if (back) this.left();
    else this.came();
  }
}
