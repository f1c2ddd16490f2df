// Fingers on the picture: two bring it closer, one that moves on leads to the next.

const FAR = 40; // pixels that a finger goes before it means another picture
const STILL = 8; // and less than this is a tap

class Pinch {
  /** `changed` is told by how much two fingers went apart, and where their middle was and is. */
  constructor(frame, changed) {
    Object.assign(this, { frame, changed, fingers: new Map() });
    frame.addEventListener("pointerdown", (event) => this.#down(event));
    frame.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, (event) => this.fingers.delete(event.pointerId));
  }

  get on() {
    return this.fingers.size > 1;
  }

  #down(event) {
    if (event.pointerType !== "touch") return;
    if (event.isPrimary) this.fingers.clear(); // the first finger of all: none can be left from before
    this.fingers.set(event.pointerId, event);
  }

  #move(event) {
    if (!this.fingers.has(event.pointerId)) return;
    const before = [...this.fingers.values()];
    this.fingers.set(event.pointerId, event);
    if (before.length !== 2) return;
    const after = [...this.fingers.values()];
    this.changed(apart(after) / Math.max(1, apart(before)), between(before), between(after));
  }
}

/** The middle of two fingers, as a pointer that is over what the first of them is over. */
const between = ([one, other]) => ({ target: one.target, clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2 });

class Swipes {
  /** `free` tells whether one finger may mean another picture now; a tap goes to `tapped`, the rest to `walk`. */
  constructor(frame, { free, tapped, walk }) {
    let start = null;
    frame.addEventListener("pointerdown", (event) => {
      // A second finger means something else, and so does a finger that scrolls a long reason.
      start = event.pointerType === "touch" && event.isPrimary && free() && !event.target.closest(".reason, button") ? event : null;
    });
    frame.addEventListener("pointercancel", () => { start = null; });
    frame.addEventListener("pointerup", (event) => {
      if (!start || event.pointerId !== start.pointerId) return;
      const [dx, dy] = [start.clientX - event.clientX, start.clientY - event.clientY];
      start = null;
      if (Math.hypot(dx, dy) < STILL) tapped();
      if (Math.max(Math.abs(dx), Math.abs(dy)) < FAR) return;
      if (Math.abs(dx) > Math.abs(dy)) walk(Math.sign(dx), 0);
      else walk(0, Math.sign(dy));
    });
  }
}
