// What the person who looks says of the images, and beside it what others said.

const MARKS = { favourite: "♥", reject: "✕" };

class Judging {
  /** `changed` is told the keys of the images of which something else is said now; `null`: any. */
  constructor(data, changed = () => {}) {
    Object.assign(this, { data, changed });
    const { identity, name } = data.about;
    this.run = { identity, name };
    this.shelf = new Shelf(this.run);
    this.steps = []; // to be undone, the last one last
    this.exported = true;
    if (!data.judgeable) {
      this.own = noPicks(this.run);
      this.added = [];
      return;
    }
    this.#read();
    addEventListener("storage", (event) => { if (this.shelf.holds(event.key) && this.#read()) this.changed(null); });
    addEventListener("beforeunload", (event) => { if (this.shelf.unsaved && !this.exported) event.preventDefault(); });
  }

  /** Take over what the browser has, if it is not what was read or written last: another tab may have been at it. */
  #read() {
    const fresh = this.shelf.read();
    if (fresh === null) return false;
    Object.assign(this, fresh, { merged: null });
    return true;
  }

  /** Change what the person says: on top of what another tab wrote meanwhile. */
  #commit(act, keys) {
    const elsewhere = this.#read();
    act(this.own);
    this.own.source ||= Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    this.own.when = new Date().toISOString();
    this.exported = false;
    this.#merge(elsewhere ? null : keys);
    this.shelf.keepOwn(this.own);
    this.changed(elsewhere ? null : keys);
  }

  /** Where nobody else's count, what changed can be put in its place; else all is merged anew when it is asked for. */
  #merge(keys) {
    if (!keys?.length || this.shared || !this.merged) {
      this.merged = null;
      return;
    }
    for (const key of keys) {
      const said = this.own.jobs[key];
      if (saidNothing(said)) this.merged.opinions.delete(key);
      else {
        const opinion = new Opinion();
        opinion.add(said);
        this.merged.opinions.set(key, opinion);
      }
    }
  }

  // ── said ─────────────────────────────────────────────────────────────────────────────────────────────

  #key(cell) {
    const job = this.data.job(cell);
    return job === ABSENT ? null : this.data.jobs.key[job];
  }

  get empty() {
    return this.all.opinions.size === 0;
  }

  /** What everyone says together: `{ opinions, comparisons, people }`. */
  get all() {
    const embedded = this.data.raw.picks ?? [];
    return (this.merged ??= mergePicks([this.own, ...embedded, ...this.added].filter((picks) => picks === this.own ? this.begun : true)));
  }

  /** Whether the person has said anything. */
  get begun() {
    return this.own.comparisons.length > 0 || Object.values(this.own.jobs).some((said) => !saidNothing(said));
  }

  /** Whether others' words count, too. */
  get shared() {
    return Boolean(this.data.raw.picks?.length || this.added.length);
  }

  /** What the person says of an image; `null` where nothing. */
  said(cell) {
    const said = this.own.jobs[this.#key(cell)];
    return said && !saidNothing(said) ? said : null;
  }

  opinion(cell) {
    return this.empty ? null : (this.all.opinions.get(this.#key(cell)) ?? null);
  }

  rating(cell) {
    return this.opinion(cell)?.rating ?? null;
  }

  /** Favourites first, then by rating, rejects last; `null` where nothing is said. */
  rank(cell) {
    const opinion = this.opinion(cell);
    if (opinion === null) return null;
    return (opinion.favourite ? 10 : opinion.reject ? -10 : 0) + (opinion.rating ?? 0);
  }

  /** Few letters for a corner of a thumbnail. */
  mark(cell) {
    const opinion = this.opinion(cell);
    if (opinion === null) return null;
    const rating = opinion.rating === null ? "" : `${Number.isInteger(opinion.rating) ? opinion.rating : opinion.rating.toFixed(1)}★`;
    return [rating, opinion.favourite ? MARKS.favourite : "", opinion.reject ? MARKS.reject : ""].filter(Boolean).join(" ") || "·";
  }

  /** The same in words. */
  words(cell) {
    const opinion = this.opinion(cell);
    if (opinion === null) return "";
    const rating = opinion.rating === null ? "" : `rated ${Number.isInteger(opinion.rating) ? opinion.rating : opinion.rating.toFixed(1)} of 5`;
    const by = opinion.judges > 1 ? `by ${count(opinion.judges)} people` : "";
    return [rating, opinion.favourite ? "favourite" : "", opinion.reject ? "reject" : "", by].filter(Boolean).join(", ");
  }

  /** Of these cells, how many images there are to judge, and of how many the person has said something. */
  progress(cells) {
    const { data, own } = this;
    const seen = new Uint8Array(data.jobs.count);
    const done = data.states.indexOf("done");
    const begun = Object.keys(own.jobs).length > 0;
    let [judged, total] = [0, 0];
    for (const cell of cells) {
      const job = data.jobOf[cell];
      if (job === ABSENT || seen[job] || data.stateOf[cell] !== done) continue;
      seen[job] = 1;
      total += 1;
      if (begun && this.said(cell)) judged += 1;
    }
    return { judged, total };
  }

  // ── to say something ─────────────────────────────────────────────────────────────────────────────────

  /** Rate, or take the same rating back; a favourite is no reject. Nothing can be said where there is no picture. */
  judge(cell, field, value = true) {
    if (!this.data.judgeable) {
      announce("Pictures are judged in the sheet of one run");
      return false;
    }
    if (this.data.state(cell) !== "done") {
      announce("There is no picture here to judge");
      return false;
    }
    const key = this.#key(cell);
    const before = this.own.jobs[key] ?? null;
    const said = { ...before };
    delete said.when;
    if (said[field] === value) delete said[field];
    else said[field] = value;
    if (field !== "rating") delete said[field === "favourite" ? "reject" : "favourite"];
    this.#commit((own) => { own.jobs[key] = { ...said, when: new Date().toISOString() }; }, [key]);
    const words = saidOf(field, said[field]);
    this.steps.push({ key, before, cell, words: said.rating && field === "rating" ? plural(said.rating, "star") : words });
    announce(words, { time: 900, quiet: true });
    return true;
  }

  /** `a` and `b` are cells that differ along the axis alone. */
  compare(a, b, winner, axis) {
    const pair = { a: this.#key(a), b: this.#key(b), winner, axis: axis.name, when: new Date().toISOString() };
    this.#commit((own) => own.comparisons.push(pair), []);
    this.steps.push({ pair, cells: [a, b], words: `a comparison of ${axis.short} ${[a, b].map((cell) => axis.brief(axis.column[cell], 24)).join(" and ")}` });
    return pair;
  }

  /** Take back what was said last here; gives the step, or `null` where there is none. `blind`: nothing says of what picture. */
  undo({ blind = false } = {}) {
    if (!this.data.judgeable) return null;
    const step = this.steps.pop() ?? null;
    if (step === null) {
      announce("Nothing to undo");
      return null;
    }
    if (step.taken) this.#untake(step.taken);
    else if (step.pair) this.#commit((own) => { own.comparisons = own.comparisons.filter((pair) => JSON.stringify(pair) !== JSON.stringify(step.pair)); }, []);
    else {
      const before = { ...step.before };
      this.#commit((own) => { own.jobs[step.key] = { ...before, when: new Date().toISOString() }; }, [step.key]);
    }
    const of = blind || step.cell === undefined ? "" : `, ${middle(this.data.describe(step.cell), 90)}`;
    if (!blind || !step.pair) announce(`Undone: ${step.words}${of}`, { time: blind ? 1600 : 4000 });
    return step;
  }

  call(who) {
    this.#commit((own) => { own.who = who.trim().slice(0, 200); }, []);
    this.exported = !this.begun;
  }

  /** Take everything back, and let others' picks go; there is no undo. */
  clear() {
    this.steps = [];
    this.added = [];
    this.#keepOthers();
    this.#commit((own) => Object.assign(own, noPicks(this.run), { who: own.who, source: "" }), null);
    this.exported = true;
  }

  // ── files ────────────────────────────────────────────────────────────────────────────────────────────

  get file() {
    return picksText(this.own);
  }

  /** Picks from a file held against this run: which of their images it has. Throws where it has none of another run's. */
  stand(picks, name) {
    const keys = new Set([...Object.keys(picks.jobs).filter((key) => !saidNothing(picks.jobs[key])), ...picks.comparisons.flatMap(({ a, b }) => [a, b])]);
    const foreign = picks.run.identity !== this.run.identity;
    if (foreign && ![...keys].some((key) => this.data.jobOfKey(key) !== ABSENT)) throw new PicksError(`${name} is of another run (${picks.run.name || "of no name"}): ${keys.size ? "none of its images is in this one" : "it judges no image"}`);
    return { ...this.here({ opinions: latest([picks]).filter(([, said]) => !saidNothing(said)), comparisons: picks.comparisons }), foreign };
  }

  /** Of what is said, how much is of images that are shown here, and how much is `gone`: a comparison is here with both its images. */
  here({ opinions, comparisons }) {
    const { data } = this;
    const shown = (key) => {
      const job = data.jobOfKey(key);
      return job !== ABSENT && data.state(data.cellsOf(job)[0]) === "done";
    };
    const [judged, compared] = [[...opinions].filter(([key]) => shown(key)).length, comparisons.filter(({ a, b }) => shown(a) && shown(b)).length];
    return { judged, compared, gone: { judged: [...opinions].length - judged, compared: comparisons.length - compared } };
  }

  /** Whether a file is surely this person's. */
  mine(picks) {
    return Boolean(picks.source && picks.source === this.own.source) || Boolean(picks.who && picks.who.toLowerCase() === this.own.who.toLowerCase());
  }

  /** Go on with picks from a file: of each image what was said last counts. `false` where it says nothing that is not here. */
  take(picks, name) {
    this.#read();
    const { own } = this;
    const changed = [...latest([picks, own])].filter(([key, said]) => JSON.stringify(said) !== JSON.stringify(own.jobs[key]));
    const had = new Set(own.comparisons.map(comparisonName));
    const more = everyComparison([picks]).filter((pair) => !had.has(comparisonName(pair)));
    if (!changed.length && !more.length && (own.who || !picks.who)) return false;
    const names = { who: own.who, source: own.source };
    const before = changed.map(([key]) => [key, own.jobs[key]]);
    this.#commit((mine) => {
      Object.assign(mine.jobs, Object.fromEntries(changed));
      mine.comparisons = [...more, ...mine.comparisons];
      mine.who ||= picks.who;
      mine.source ||= picks.source;
    }, null);
    this.steps.push({ taken: { before, more: new Set(more.map(comparisonName)), names }, words: `the import of ${name}` });
    return true;
  }

  /** As it was before a file was taken over, times too, so that the file can be taken over again. */
  #untake({ before, more, names }) {
    this.#commit((own) => {
      for (const [key, said] of before) {
        if (said) own.jobs[key] = said;
        else delete own.jobs[key];
      }
      own.comparisons = own.comparisons.filter((pair) => !more.has(comparisonName(pair)));
      Object.assign(own, names);
    }, null);
  }

  /** The files here of whose file this is: of one without any name, the same file. */
  filesOf(picks) {
    return [...(this.data.raw.picks ?? []), ...this.added].filter((other) => samePerson(other, picks));
  }

  /** Show someone else's beside one's own, those of one person as one; `false` where it says nothing that is not here. */
  add(picks) {
    const theirs = this.filesOf(picks);
    if (theirs.some((other) => covers(other, picks))) return false;
    this.added = [...this.added.filter((other) => !(theirs.includes(other) && covers(picks, other))), picks];
    this.#keepOthers();
    this.changed(null);
    return true;
  }

  drop(files) {
    this.added = this.added.filter((other) => !files.includes(other));
    this.#keepOthers();
    this.changed(null);
  }

  #keepOthers() {
    this.merged = null;
    this.shelf.keepOthers(this.added);
  }
}
