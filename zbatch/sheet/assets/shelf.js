// Where the browser keeps what a person says of a run's images, under its identity, and beside it what others said.

class Shelf {
  constructor(run) {
    this.run = run;
    this.place = `zbatch.picks.${run.identity || run.name}`;
    this.unsaved = false; // the browser refuses to keep it
    this.text = this.others = undefined; // as they were read or written last
  }

  /** Whether a name in the browser's storage is one of these; `null` is all that it has. */
  holds(name) {
    return name === null || name.startsWith(this.place);
  }

  /** What there is, `{ own, added }`; `null` where it is what was read or written last. */
  read() {
    const [text, others] = this.unsaved ? [this.text, this.others] : [kept(this.place), kept(`${this.place}.others`)];
    if (text === this.text && others === this.others) return null;
    Object.assign(this, { text, others });
    return { own: this.#own(text) ?? { ...noPicks(this.run), who: "", source: "" }, added: this.#added(others) };
  }

  /** What cannot be read is set aside, not written over. */
  #own(text) {
    if (text === null) return null;
    try {
      return parsePicks(text, "What was kept");
    } catch (error) {
      keep(`${this.place}.damaged`, text);
      later.do(() => announce(`${error.message}. It is set aside as ${this.place}.damaged`, { time: 8000 }));
      return null;
    }
  }

  #added(text) {
    try {
      return JSON.parse(text ?? "[]").map((picks) => parsePicks(JSON.stringify(picks), "What was kept of others"));
    } catch {
      keep(`${this.place}.others.damaged`, text);
      later.do(() => announce(`What was kept of others' picks cannot be read: import them again. It is set aside as ${this.place}.others.damaged`, { time: 8000 }));
      return [];
    }
  }

  keepOwn(picks) {
    this.text = JSON.stringify(picks);
    this.#keep(this.place, this.text);
  }

  keepOthers(files) {
    this.others = files.length ? JSON.stringify(files) : null;
    if (this.others === null) forget(`${this.place}.others`);
    else this.#keep(`${this.place}.others`, this.others);
  }

  #keep(place, text) {
    const before = this.unsaved;
    this.unsaved = !keep(place, text);
    if (this.unsaved && !before) announce("This browser does not keep your picks (its storage is refused or full): export them before you close the page (J)", { time: 9000 });
  }
}
