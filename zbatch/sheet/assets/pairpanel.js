// What is said of pairs in words: over all of them, by value, and of the one that is looked at.

const VALUES = 400; // more values of an axis than this have no bars

Object.assign(Pairs.prototype, {
  /** Over the values: what differs between the requests, and what stands in one run only. */
  preface() {
    const { words } = this.raw.pairs;
    return make("section", { class: "preface" },
      make("h3", { text: "Between the two runs" }),
      make("ul", {}, ...words.map((line) => make("li", { dir: "auto", text: line }))),
      this.measured.length ? make("p", { class: "many", text: "Under a value, of its pairs that are shown: how many differ, and the median change (ꟻLIP, 0 to 1)." }) : null);
  },

  /** The pairs that are shown: bars are of these. */
  chosen(cells) {
    this.shownPairs = cells;
    for (const axis of this.axes) axis.medians = axis.differing = null;
  },

  /** The median change at a value, as a bar. */
  measure(axis, value) {
    const medians = (axis.medians ??= this.medians(axis));
    axis.differing ??= this.differing(axis);
    const found = medians.get(value);
    if (found === undefined) return null;
    const most = Math.max(0.02, ...medians.values());
    const bar = make("i", { class: "median" });
    bar.style.setProperty("--share", `${(100 * found) / most}%`);
    const { different, pairs } = axis.differing.get(value);
    const words = `${count(different)} of ${count(pairs)} differ`;
    return make("span", { class: "measure", title: `${words}, median change ${found.toFixed(3)}` }, bar, make("span", { text: words }), make("b", { text: found.toFixed(2) }));
  },

  /** By value, how many pairs have two pictures, and how many of them differ: a median alone hides a few among many. */
  differing(axis) {
    const counted = new Map();
    for (const cell of this.shownPairs) {
      const kind = this.kind(cell);
      if (kind !== "same" && kind !== "different") continue;
      const value = axis.column[cell];
      if (!counted.has(value)) counted.set(value, { different: 0, pairs: 0 });
      counted.get(value).pairs += 1;
      if (kind === "different") counted.get(value).different += 1;
    }
    return counted;
  },

  medians(axis) {
    const heaps = new Map();
    if (axis.values.length > VALUES) return heaps;
    for (const cell of this.shownPairs) {
      const change = this.change(cell);
      if (change === null) continue;
      if (!heaps.has(axis.column[cell])) heaps.set(axis.column[cell], []);
      heaps.get(axis.column[cell]).push(change);
    }
    const middleOf = (heap) => {
      heap.sort((one, other) => one - other);
      const half = heap.length >> 1;
      return heap.length % 2 ? heap[half] : (heap[half - 1] + heap[half]) / 2;
    };
    return new Map([...heaps].map(([value, heap]) => [value, middleOf(heap)]));
  },

  /** Beside an open pair: how far apart, what differs between the requests, and all about either picture. */
  panel(cell, difference) {
    const both = [this.partner(cell), cell];
    return [
      this.standing(cell),
      difference,
      ...both.map((own, side) => make("details", { class: `rest side${side}` }, make("summary", { dir: "auto", text: `All about ${middle(this.sides[side].label, 40)}` }),
        metadataPanel(this, own))),
    ];
  },

  standing(cell) {
    const kind = this.kind(cell);
    const change = this.change(cell);
    const made = (side) => {
      const { endpoint, endpoint_kind: own, model } = this.sides[side].about;
      return `${own === "preview" ? "preview" : endpoint} · ${model}`;
    };
    const say = {
      same: change ? `The same within what was said to be none: ${change.toFixed(3)}.` : "The same to the byte.",
      different: change === null ? "Different; how far was not measured: the sizes differ, or a thumbnail is gone." : null,
      unfinished: "Not both have a picture.",
    }[kind];
    return make("section", { class: "block far", "data-state": kind },
      make("h3", { text: "Change" }),
      change === null ? null : make("p", { class: "number" }, make("b", { text: change.toFixed(3) }), make("span", { text: this.rankWords(cell) })),
      say ? make("p", { text: say }) : null,
      make("dl", { class: "made" }, ...this.sides.flatMap(({ label }, side) => [make("dt", { dir: "auto", text: middle(label, 40) }), make("dd", { dir: "auto", text: made(side) })])));
  },

  /** Where its change stands among all. */
  rankWords(cell) {
    this.ranked ??= this.changes.filter((change) => change !== null).sort((one, other) => other - one);
    const own = this.changes[this.pairOf(cell)];
    const larger = firstWhere(this.ranked, (change) => change <= own);
    return `${count(larger + 1)} of ${plural(this.ranked.length, "pair")}, the biggest first`;
  },
});
