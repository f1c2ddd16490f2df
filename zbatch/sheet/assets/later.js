// What can wait for a frame: on opening, until the grid is on the screen; and later the pictures' own bytes, until the cells are.

const later = {
  waiting: [],

  /** Do this once the first frame with the grid is painted; at once where it is. */
  do(act) {
    if (this.waiting) this.waiting.push(act);
    else act();
  },

  /** Called when the grid stands in the page. */
  begin() {
    afterFrame(() => {
      const waiting = this.waiting ?? [];
      this.waiting = null;
      for (const act of waiting) act();
    });
  },
};

const afterwards = [];

/** Do this once the next frame is painted. A message posted in a frame is answered after its paint. */
function afterFrame(act) {
  if (afterwards.push(act) > 1) return;
  const all = () => { for (const own of afterwards.splice(0)) own(); };
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = all;
    port2.postMessage(0);
  });
  setTimeout(all, 500); // a page behind others has no frames
}
