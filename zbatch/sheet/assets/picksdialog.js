// What was judged, as numbers: by value of each axis. And what is done with it: blind mode, files, other people's picks.

const HARDLY = 500; // further comparisons; a larger number says no more than that

class PicksDialog {
  constructor(judging, { show, blind }) {
    Object.assign(this, { judging, data: judging.data, show, blind });
    this.file = make("input", { type: "file", accept: ".json,application/json", multiple: true, class: "offscreen", tabindex: -1, "aria-hidden": "true", onchange: () => this.#chosen() });
    this.who = make("input", { type: "text", maxlength: 200, autocomplete: "name", placeholder: "your name, for the file", "aria-label": "Your name", onchange: () => judging.call(this.who.value) });
    this.body = make("div", { class: "picksbody" });
    this.root = make("dialog", { class: "help picks", "aria-label": "Picks" },
      make("div", { class: "helphead" }, make("h2", { text: "Picks" }), button({ label: "Close (Esc)", glyph: "close", act: () => this.root.close(), kind: "square quiet" })),
      this.body, this.file, make("div", { class: "toast", role: "status" }));
    this.root.addEventListener("click", (event) => { if (event.target === this.root) this.root.close(); });
    this.root.addEventListener("keydown", (event) => { if (undoes(event)) { event.preventDefault(); judging.undo(); } });
    document.body.append(this.root);
    this.#awaitFiles();
  }

  open(axis = null) {
    this.axis = axis ?? this.axis ?? null;
    this.draw();
    if (!this.root.open) this.root.showModal();
    this.root.scrollTop = 0;
  }

  draw() {
    if (!this.root.isConnected) return;
    const { judging } = this;
    this.who.value = judging.own.who;
    this.body.replaceChildren(
      this.#standing(),
      make("div", { class: "picksacts" },
        button({ words: "Judge blind", glyph: "eye", act: () => { this.root.close(); this.blind(); }, kind: "first" }),
        button({ words: "Export picks.json", act: () => this.export() }),
        button({ words: "Import…", act: () => this.file.click(), label: "Import… a picks.json; it can also be dropped on the page" }),
        make("label", { class: "who" }, this.who)),
      ...(judging.shelf.unsaved ? [make("p", { class: "warned", role: "alert", text: "This browser does not keep your picks: its storage is refused or full. Export them before you close the page, and import them next time." })] : []),
      ...this.#people(), ...this.#results(), this.#clearing());
  }

  // ── how it stands ────────────────────────────────────────────────────────────────────────────────────

  #standing() {
    const { judging, data } = this;
    const { judged, total } = judging.progress(Array.from({ length: data.size }, (_, cell) => cell));
    const kinds = { favourite: 0, reject: 0 };
    for (const [key, opinion] of judging.all.opinions) {
      if (data.jobOfKey(key) === ABSENT) continue;
      for (const kind of Object.keys(kinds)) if (opinion[kind]) kinds[kind] += 1;
    }
    const { gone } = judging.here(judging.all);
    const { compared } = judging.here({ opinions: [], comparisons: judging.own.comparisons });
    const asked = (words, query) => make("button", { type: "button", class: "link", text: words, onclick: () => { this.root.close(); this.show(query); } });
    const mine = judging.shared ? " by you" : ""; // where others count, too, it is said whose a number is
    return make("div", { class: "standing" },
      make("p", {}, make("b", { text: `${count(judged)} of ${count(total)}` }), ` images judged${mine}${compared ? `, ${plural(compared, "comparison")}` : ""}.`),
      make("p", { class: "asks" }, "Show: ", asked(`${count(total - judged)} unjudged${mine}`, "is:unjudged"), mine ? make("span", { text: "of everybody:" }) : null, asked(plural(kinds.favourite, "favourite"), "is:favourite"), asked(plural(kinds.reject, "reject"), "is:reject")),
      make("progress", { value: judged, max: Math.max(1, total), "aria-label": "Images judged" }),
      gone.judged || gone.compared ? make("p", { class: "soft", text: `Kept, and not counted here: ${[gone.judged ? `judgements of ${plural(gone.judged, "image")}` : "", gone.compared ? plural(gone.compared, "comparison") : ""].filter(Boolean).join(" and ")} of what this sheet does not show.` }) : null);
  }

  #people() {
    const { judging, data } = this;
    if (!judging.shared) return [];
    const came = data.raw.picks ?? [];
    const person = ([name, files]) => {
      const { judged, compared, gone } = judging.here(mergePicks(files));
      const added = files.filter((picks) => judging.added.includes(picks));
      const own = judging.begun && name === personOf(judging.own, "");
      return make("li", {}, make("span", { dir: "auto", text: `${files.at(-1).who || "someone"}: ${plural(judged, "image")}, ${plural(compared, "comparison")}` }),
        gone.judged || gone.compared ? make("small", { text: `and ${amount(gone)} of what is not shown here` }) : null,
        own ? make("small", { text: "the same person as you" }) : null, added.length < files.length ? make("small", { text: "came with the page" }) : null,
        added.length ? make("button", { type: "button", class: "link", text: added.length < files.length ? "let go what was added" : "let go", onclick: () => { judging.drop(added); this.draw(); } }) : null);
    };
    return [make("h3", { text: "Others, counted with yours" }), make("ul", { class: "others" }, ...[...byPerson([...came, ...judging.added])].map(person))];
  }

  // ── by value ─────────────────────────────────────────────────────────────────────────────────────────

  #results() {
    const { judging, data } = this;
    const { opinions, comparisons } = judging.all;
    const compared = new Set(comparisons.map((pair) => pair.axis));
    const axes = data.varying.filter((axis) => compared.has(axis.name) || (opinions.size > 0 && axis.values.length <= CHIPS));
    if (!axes.length) return [make("p", { class: "soft", text: "Judge with 1 to 5, F for a favourite and X for a reject, here and in an open picture; Space goes to the next. Or compare pairs blind, and see which values win." })];
    if (!axes.includes(this.axis)) this.axis = axes.find((axis) => compared.has(axis.name)) ?? favourite(axes.map((axis) => ({ axis })), null).axis;
    const list = make("select", { "aria-label": "Axis", onchange: () => { this.axis = data.byName.get(list.value); this.draw(); this.body.querySelector("select").focus(); } },
      ...axes.map((axis) => make("option", { value: axis.name, text: axis.name, selected: axis === this.axis })));
    const { axis } = this;
    const rates = winRates(data, comparisons, axis);
    return [make("div", { class: "resultshead" }, make("h3", { text: "By value of" }), list), this.#table(axis, rates, axisOpinions(data, opinions, axis)), ...(rates.length ? this.#verdict(axis, rates) : [])];
  }

  #table(axis, rates, means) {
    const ofValue = new Map(rates.map((rate) => [rate.value, rate]));
    const values = axis.values.map((_, value) => value).filter((value) => ofValue.has(value) || means.has(value));
    const placeOf = (value) => (ofValue.has(value) ? rates.indexOf(ofValue.get(value)) : rates.length); // what was not compared comes last
    if (rates.length) values.sort((one, other) => placeOf(one) - placeOf(other));
    const rated = [...means.values()].some((own) => own.ratings);
    const marked = [...means.values()].some((own) => own.favourites || own.rejects);
    const fact = (label, text) => make("td", { class: "fact", "data-label": label, text }); // the label where there is no room for columns
    const head = (text, title) => make("th", { scope: "col", text, title });
    return make("div", { class: "scrolling", tabindex: 0, role: "region", "aria-label": `Results by ${axis.name}` }, make("table", { class: "results" },
      make("thead", {}, make("tr", {}, head(axis.short), rates.length ? head("Wins", "with the 95 % interval") : null, rates.length ? head("Compared") : null, rated ? head("Mean rating") : null, rated ? head("Rated") : null, marked ? head("♥") : null, marked ? head("✕") : null)),
      make("tbody", {}, ...values.map((value) => {
        const [rate, mean] = [ofValue.get(value), means.get(value)];
        return make("tr", {}, make("th", { scope: "row", dir: "auto", text: axis.brief(value, 40), title: axis.title(value) }),
          rates.length ? make("td", { class: "wins" }, rate ? rateBar(rate) : "—") : null, rates.length ? fact("compared", count(rate?.games ?? 0)) : null,
          rated ? fact("mean", mean?.mean ? mean.mean.toFixed(2) : "—") : null, rated ? fact("rated", count(mean?.ratings ?? 0)) : null,
          marked ? fact("♥", count(mean?.favourites ?? 0)) : null, marked ? fact("✕", count(mean?.rejects ?? 0)) : null);
      }))));
  }

  /** Who leads, and what it would take to be sure. */
  #verdict(axis, rates) {
    if (rates.length < 2) return [];
    const [best, second] = rates;
    const more = needed(best.wins, best.games, second.wins, second.games);
    const names = [best, second].map(({ value }) => `${axis.short} ${axis.brief(value, 30)}`);
    const lefts = more === 0 ? [] : this.#left(axis, [best.value, second.value]);
    const left = Math.min(...lefts);
    const few = left < (more ?? 0) ? ` This run has only ${plural(left, "more pair")} of each: more seeds or prompts would make more.` : "";
    const words = more !== 0 && left === 0 ? `Every pair with ${names.filter((_, at) => lefts[at] === 0).join(" or ")} was compared, and these images do not tell the two apart: more seeds or prompts would make more pairs.`
      : more === null ? `${names[0]} and ${names[1]} are equal so far: no number of comparisons that go on like this would part them.`
      : more === 0 ? `${names[0]} is better than ${names[1]}, as sure as 95 % is.`
        : more > HARDLY ? `${names[0]} is barely ahead of ${names[1]}: to part them would take more than ${HARDLY} further comparisons of each, if it goes on so.${few}`
          : `${names[0]} leads ${names[1]}. If it goes on so, ${more === 1 ? "one more comparison" : `about ${count(more)} more comparisons`} of each would part them.${few}`;
    return [make("p", { class: "verdictwords", dir: "auto", text: words }), make("details", { class: "how" }, make("summary", { text: "How this is counted" }),
      make("p", { text: "A tie is half a win for both. The interval is Wilson's, at 95 %: pairs are drawn so that every value meets every other equally often, so the plain rate ranks values as a Bradley–Terry fit would, and unlike that it stays finite where a value won everything, which a dozen comparisons often bring." }),
      make("p", { text: "Two are told apart where each has six comparisons at least and their intervals do not touch. What that would take: with p = (wins + 1) / (comparisons + 2) of each, as few comparisons are too sure of themselves, the least number at which the intervals of these rates part, less what was compared." }))];
  }

  /** How many pairs of this run with each of two values nobody has compared yet. */
  #left(axis, values) {
    const { judging, data } = this;
    const all = new Matchups(data, Array.from({ length: data.size }, (_, cell) => cell), axis, 1);
    return all.left(judging.all.comparisons, values);
  }

  #clearing() {
    const { judging } = this;
    if (!judging.begun && !judging.added.length) return make("span", {});
    const sure = make("button", { type: "button", class: "link", text: "Forget all of it…", onclick: () => {
      if (!sure.dataset.sure) {
        sure.dataset.sure = "1";
        sure.textContent = "Forget everything judged here? There is no undo. Click again";
        return;
      }
      judging.clear();
      this.draw();
    } });
    return make("p", { class: "clearing" }, sure);
  }

  // ── files ────────────────────────────────────────────────────────────────────────────────────────────

  export() {
    const { judging } = this;
    const link = make("a", { download: `picks${judging.own.who ? `-${judging.own.who.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "")}` : ""}.json` });
    link.href = URL.createObjectURL(new Blob([judging.file], { type: "application/json" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    judging.exported = true;
    announce(`${link.download} goes to your downloads`, { time: 3000 });
  }

  #chosen() {
    const files = [...this.file.files];
    this.file.value = "";
    this.import(files);
  }

  /** A file that is dropped anywhere: without this, the browser would leave the page for it. */
  #awaitFiles() {
    const carries = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragover", (event) => { if (carries(event)) event.preventDefault(); document.documentElement.classList.toggle("dropping", Boolean(carries(event))); });
    addEventListener("dragleave", (event) => { if (event.relatedTarget === null) document.documentElement.classList.remove("dropping"); });
    addEventListener("drop", (event) => {
      document.documentElement.classList.remove("dropping");
      if (!carries(event) || document.querySelector("dialog.blind")) { if (carries(event)) event.preventDefault(); return; }
      event.preventDefault();
      this.import([...event.dataTransfer.files]);
    });
  }

  async import(files) {
    for (const file of files) {
      try {
        if (file.size > 200e6) throw new PicksError(`${file.name} is no picks file: it has ${bytesText(file.size)}`);
        const picks = readPicks(await textOf(file), file.name);
        const stands = this.judging.stand(picks, file.name);
        await this.#place(picks, stands, file.name);
      } catch (error) {
        announce(error instanceof PicksError ? error.message : `${file.name} cannot be read`, { time: 9000 });
      }
    }
    if (this.root.open) this.draw();
  }

  /** One's own are gone on with, others' stand beside them: where a file does not tell, the person does. */
  async #place(picks, stands, name) {
    const { judging } = this;
    const { judged, compared, gone, foreign } = stands;
    const theirs = judging.filesOf(picks);
    const own = judging.mine(picks) || (theirs.length ? false : await this.#asked(picks, stands, name));
    if (own === null) return;
    const who = picks.who || "someone";
    const lost = outdone(picks, own ? [picks, judging.own] : [...theirs, picks]);
    const untaken = judging.here({ opinions: lost.keys.map((key) => [key]), comparisons: [] }).judged;
    const otherwise = lost.keys.length ? `of ${plural(lost.keys.length, "image")} it says something else than what is here${own ? "" : ` of ${who}`}, and is ${lost.undated ? "undated" : "older"}: not taken` : "";
    if (!(own ? judging.take(picks, name) : judging.add(picks))) {
      announce(`${name}: ${otherwise || `all that it says is here already${own ? "" : `, of ${who}`}`}`, { time: otherwise ? 9000 : 5000 });
      return;
    }
    const more = [otherwise, theirs.length && !own ? `${who} was here already: of each image the last word counts` : "", gone.judged || gone.compared ? `${amount(gone)} of it ${gone.judged + gone.compared === 1 ? "is" : "are"} not in this sheet: kept, and not shown` : "", foreign ? `it was made for another run (${picks.run.name || "of no name"})` : ""].filter(Boolean);
    announce([`${name}: ${amount({ judged: own ? judged - untaken : judged, compared })} ${own ? "taken over (Ctrl Z undoes it)" : `of ${who} beside yours`}`, ...more].join("; "), { time: more.length ? 8000 : 4000 });
  }

  #asked(picks, { judged, compared }, name) {
    return new Promise((resolve) => {
      const answer = (value) => () => { resolve(value); asking.close(); };
      const asking = make("dialog", { class: "byhand asking", "aria-label": "Whose picks are these?", onclose: () => { resolve(null); asking.remove(); } },
        make("p", {}, make("b", { dir: "auto", text: picks.who ? `Picks of ${picks.who}` : "Picks of someone without a name" })),
        make("p", { dir: "auto", text: `${name} judges ${plural(judged, "image")} of this sheet${compared ? ` and has ${plural(compared, "comparison")} of its images` : ""}.` }),
        make("div", { class: "picksacts" }, button({ words: "They are mine: go on with them", act: answer(true) }), button({ words: "Someone else's: show them beside mine", act: answer(false) })));
      document.body.append(asking);
      asking.showModal();
    });
  }
}

/** So many images and comparisons, in words. */
const amount = ({ judged, compared }) => [judged || !compared ? plural(judged, "image") : "", compared ? plural(compared, "comparison") : ""].filter(Boolean).join(" and ");

/** A rate as a bar with its interval, and in numbers. */
function rateBar({ rate, interval: [low, high] }) {
  const at = (share) => (100 * share).toFixed(2);
  const svg = drawn("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: "ratebar", "aria-hidden": "true" });
  svg.append(drawn("path", { class: "whole", d: "M0 5H100" }), drawn("path", { class: "even", d: "M50 1V9" }), drawn("path", { class: "interval", d: `M${at(low)} 5H${at(high)}` }), drawn("path", { class: "rate", d: `M${at(rate)} 1V9` }));
  const percent = (share) => `${Math.round(100 * share)}`;
  return make("span", { class: "rated" }, svg, make("span", {}, make("b", { text: `${percent(rate)} %` }), make("small", { text: ` ${percent(low)}–${percent(high)}` })));
}
