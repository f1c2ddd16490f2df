// What can wait until the first frame with the grid is on the screen: the pictures' own bytes, values, dialogs.

const later = {
  waiting: [],

  /** Do this once the first frame is painted; at once where it is. */
  do(act) {
    if (this.waiting) this.waiting.push(act);
    else act();
  },

  /** Called when the grid stands in the page. A message posted in a frame is answered after its paint. */
  begin() {
    const act = () => {
      const waiting = this.waiting ?? [];
      this.waiting = null;
      for (const own of waiting) own();
    };
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = act;
      port2.postMessage(0);
    });
    setTimeout(act, 500); // a page behind others has no frames
  },
};
