// Everything above the grid: search, counts, which axis runs where, how large pictures are.

class Controls {
  constructor(data, view, { change, resize, panel, theme, help, fold, picks }) {
    Object.assign(this, { data, view, change, resize, fold, picks });
    this.facts = document.getElementById("facts");
    this.axes = document.getElementById("axes");
    this.search = make("input", {
      type: "search", id: "search", placeholder: data.example ?? "Search: fox, seed:1000, scale>0.6, state:failed", "aria-label": "Search",
      autocomplete: "off", spellcheck: "false", oninput: () => this.change(() => { view.query = this.search.value; }),
    });
    this.said = make("div", { class: "said" });
    document.getElementById("tools").append(this.said,
      make("label", { class: "searchbox" }, icon("search"), this.search, make("kbd", { text: "/" })),
      button({ label: "Picks: how values are judged, blind mode, files (J)", glyph: "star", words: "Picks", act: picks, kind: "filter picking", hidden: !data.judgeable }),
      button({ label: "Light or dark (T)", glyph: "theme", act: theme, kind: "square" }),
      button({ label: "Keys and help (?)", glyph: "help", act: help, kind: "square" }),
    );
    this.panel = button({ label: "Show or hide values (V)", glyph: "filter", words: "Values", act: panel, kind: "filter" });
    this.size = make("input", { type: "range", id: "size", max: SIZES.most, step: 4, "aria-label": "Size of the pictures", oninput: () => this.resize(Number(this.size.value)) });
    this.shape = make("div", { class: "shape", role: "group", "aria-label": "Grid or wall" });
    this.where = make("div", { class: "where" });
    this.groups = make("div", { class: "groups" });
    this.axes.append(this.panel, this.shape, this.where, this.groups, make("span", { class: "spring" }), make("label", { class: "sizing" }, icon("missing"), this.size));
    later.do(() => [this.axes, this.facts].forEach(fadeEdges));
  }

  draw(selection, shown) {
    if (this.search.value !== this.view.query) this.search.value = this.view.query;
    this.panel.setAttribute("aria-pressed", String(shown));
    this.drawFacts(selection);
    // Axes stay while values are shown and hidden.
    const { wall, x, y, groups, sort, down } = this.view;
    const axes = [this.data.varying, this.view.orders, wall, x, y, sort, down, ...groups];
    if (axes.length === this.axesDrawn?.length && axes.every((own, at) => own === this.axesDrawn[at])) return;
    this.axesDrawn = axes;
    this.#drawShape();
    this.#drawAxes();
  }

  #drawShape() {
    const { view } = this;
    // A single image, or a list of equals, has nothing to choose.
    for (const part of [this.shape, this.panel, this.where, this.groups]) part.hidden = this.data.varying.length === 0;
    const choice = (wall, words, glyph) => make("button", {
      type: "button", class: "button", id: `shape-${glyph}`, "aria-pressed": String(view.wall === wall), title: `${words} (W)`,
      onclick: () => { if (view.wall !== wall) this.change(() => view.toggleWall()); },
    }, icon(glyph), make("span", { text: words }));
    this.shape.replaceChildren(choice(false, "Grid", "table"), choice(true, "Wall", "wall"));
  }

  drawFolds({ layout }) {
    const all = layout.sections.length > 0 && layout.sections.every(({ closed }) => closed);
    const [words, glyph] = all ? ["Unfold all groups (G)", "unfold"] : ["Fold all groups (G)", "fold"];
    document.getElementById("fold")?.remove();
    if (this.view.groups.length) this.groups.append(button({ label: words, glyph, act: () => this.fold(), kind: "square quiet", id: "fold" }));
  }

  drawSize({ room, layout }) {
    this.size.min = Math.max(SIZES.least, leastSize(room));
    this.size.value = layout.size;
  }

  drawFacts({ cells, states, complaints }) {
    const { data, view } = this;
    const whole = wholeOf(data);
    const order = data.kinds.filter((state) => whole.states.has(state) || view.state === state);
    const pills = order.map((state) => make("button", {
      type: "button", class: "pill", "data-state": state, "data-keep": `state ${state}`, "aria-pressed": String(view.state === state),
      title: view.state === state ? "Show every state" : `Show only what is ${data.kindWords(state)}`,
      onclick: () => this.change(() => { view.state = view.state === state ? null : state; }),
    }, make("i", { class: "dot" }), wide(make("b", { text: count(states.get(state) ?? 0) }), whole.states.get(state)), make("span", { text: data.kindWords(state) })));
    // Excluded cells are drawn and told of apart: no job stands behind them.
    const every = data.size - data.excluded;
    const shown = data.shown(cells);
    const some = shown === 0 && cells.length > 0 ? plural(cells.length, "excluded cell") : `${count(shown)} of ${plural(every, "cell")}`;
    const total = shown === every && every > 0 ? plural(every, "cell") : some;
    const jobs = data.jobs.count;
    const spared = data.sides ? 0 : every - jobs;
    const sharing = spared > 0 ? `${plural(jobs, "job")} · ${count(spared)} shared` : null;
    const shared = cells.length === data.size ? sharing : null;
    const most = [every > 0 ? plural(every, "cell") : null, sharing].filter(Boolean).join(" · ");
    // Who judges is told how far they are.
    const { judging } = data;
    const { judged, total: pictures } = judging.begun ? judging.progress(cells) : {};
    if (judging.begun) whole.pictures ??= judging.progress(whole.cells).total;
    const progress = judging.begun ? make("button", { type: "button", class: "pill judged", "data-keep": "judged", title: "Picks (J)", onclick: () => this.picks() }, wide(make("b", { text: count(judged) }), whole.pictures), make("span", {}, "of ", wide(make("span", { class: "many", text: count(pictures) }), whole.pictures), pictures === 1 ? " image judged" : " images judged")) : null;
    // Where nothing matches, the middle of the page says it.
    this.said.replaceChildren(...(cells.length ? complaints.map((complaint) => this.complaint(complaint)) : []));
    this.facts.replaceChildren(make("span", { class: "total", role: "status", "data-whole": most, title: shared ? "Cells whose requests are equal share one job, which is made and paid once" : null, text: [total, shared].filter(Boolean).join(" · ") }), ...pills, ...(progress ? [progress] : []));
  }

  /** What the search did not understand, and the name that was likely meant, to click on. */
  complaint({ words, meant, instead }) {
    const { view } = this;
    return make("span", { class: "complaint", role: "status" }, make("span", { dir: "auto", text: instead ? `${words}: ` : words }),
      instead ? make("button", { type: "button", class: "link", text: `${meant}?`, onclick: () => this.change(() => { view.query = view.query.replace(instead[0], () => instead[1]); }) }) : null);
  }

  #drawAxes() {
    const { view } = this;
    this.where.replaceChildren(...(view.wall && this.data.varying.length ? this.#order() : [
      this.#choice("x", "Columns"),
      button({ label: "Swap columns and rows (S)", glyph: "swap", act: () => this.change(() => view.swap()), kind: "square swap", id: "swap" }),
      this.#choice("y", "Rows"),
    ]));
    const free = this.data.varying.filter((axis) => !view.groups.includes(axis));
    const more = free.length ? this.#select("group", [["", "add…"], ...free.map((axis) => [axis.name, axis.name])], "", (axis) => { if (axis) view.group(axis); }, "Add a group") : null;
    this.groups.replaceChildren(
      make("span", { class: "label", text: "Groups" }),
      ...view.groups.map((axis, at) => this.#tag(axis, at)),
      more ?? "",
    );
  }

  #tag(axis, at) {
    const { view } = this;
    const before = view.groups[at - 1];
    const act = (label, glyph, id, what) => make("button", { type: "button", id, title: label, "aria-label": label, onclick: () => this.change(what) }, icon(glyph));
    return make("span", { class: "tag" },
      before ? act(`Group by ${axis.name} before ${before.name}`, "left", `promote-${axis.index}`, () => view.promote(axis)) : null,
      make("span", { text: axis.name }),
      act(`Stop grouping by ${axis.name}`, "close", `ungroup-${axis.index}`, () => view.ungroup(axis)));
  }

  /** The wall has no columns and rows, but an order. */
  #order() {
    const { view } = this;
    const list = make("select", { id: "sort", autocomplete: "off", "aria-label": "Sort by", onchange: () => this.change(() => view.sortBy(list.value)) },
      ...[...view.orders].map(([name, { words }]) => make("option", { value: name, text: words, selected: name === view.sort })));
    return [
      make("label", { class: "choice" }, make("span", { class: "label", text: "Sort by" }), list),
      button({ label: `${view.orders.get(view.sort).firsts[Number(view.down)]}: turn round (R)`, glyph: view.down ? "descending" : "ascending", act: () => this.change(() => { view.down = !view.down; }), kind: "square", id: "direction" }),
    ];
  }

  #choice(where, words) {
    const { view } = this;
    const offered = [...new Set([...this.data.varying, ...(view[where] ? [view[where]] : [])])];
    const options = [["", "none"], ...offered.map((axis) => [axis.name, axis.name])];
    return make("label", { class: "choice" }, make("span", { class: "label", text: words }),
      this.#select(where, options, view[where]?.name ?? "", (axis) => view.place(where, axis), words));
  }

  #select(id, options, value, act, label) {
    const list = make("select", { id: `axis-${id}`, autocomplete: "off", "aria-label": label, onchange: () => this.change(() => act(this.data.byName.get(list.value) ?? null)) },
      ...options.map(([name, words]) => make("option", { value: name, text: words, selected: name === value })));
    return list;
  }
}
