// What can be taken along of a cell, each with its letter: Y and then the letter copies it.

const COPIES = [
  { letter: "p", words: "Prompt", text: ({ data, cell }) => data.prompt(cell) },
  { letter: "r", words: "Request", text: ({ data, cell }) => JSON.stringify(data.request(cell), null, 2) },
  {
    letter: "u", words: "curl", text: ({ data, cell }) => curlText(data, cell), hint: "The call that submits it, with $ZBATCH_API_KEY for the key",
    note: ({ data }) => (data.about.endpoint_kind === "preview" ? "for the server that zbatch serve starts" : ""),
  },
  { letter: "m", words: "Manifest", text: ({ data, cell }) => manifestText(data, cell), hint: "A manifest that makes this image and no other" },
  {
    letter: "z", words: "zbatch run", text: ({ data, cell }) => onlyText(data, cell), hint: ({ data, cell }) => onlyHint(data, cell),
    note: ({ data, cell }) => onlyNote(data, cell),
  },
  { letter: "l", words: "Link", text: ({ link }) => link(), hint: "The address of what you see", always: true },
];

const named = ({ words }) => words.toLowerCase();

class Copies {
  /** `from` gives what the copies are of: `data`, `cell`, and `link()`. */
  constructor(from, close) {
    this.from = from;
    this.closer = button({ label: "Close this panel (I)", glyph: "close", act: close, kind: "square quiet closer" });
    this.waiting = false; // Y was pressed: the next letter says what
    this.root = make("div", { class: "copies", role: "group", "aria-label": "Copy" });
  }

  draw() {
    const from = this.from();
    const { data, cell } = from;
    const job = data.job(cell) !== ABSENT;
    this.offered = COPIES.filter(({ always }) => job || always);
    this.root.replaceChildren(icon("copy"), ...this.offered.map((copy) => {
      const name = `Copy ${named(copy)}`;
      const hint = typeof copy.hint === "function" ? copy.hint(from) : copy.hint;
      return make("button", { type: "button", class: "copy", "aria-label": name, title: `${name} (Y ${copy.letter.toUpperCase()})${hint ? `\n${hint}` : ""}`, onclick: () => this.take(copy) },
        make("span", { text: copy.words }));
    }), this.closer);
  }

  take(copy) {
    const from = this.from();
    copyText(copy.text(from), named(copy), copy.note?.(from) ?? "");
  }

  /** Tell whether a key was meant for the copies. */
  pressed(key) {
    const letter = key.toLowerCase();
    if (!this.waiting) {
      if (letter !== "y") return false;
      this.waiting = true;
      announce(`Copy ${this.offered.map(({ letter: own, words }) => `${own.toUpperCase()} ${words}`).join(" · ")}`, { stay: true });
      return true;
    }
    if (["shift", "capslock"].includes(letter)) return false;
    this.waiting = false;
    hush();
    const copy = this.offered.find((other) => other.letter === letter);
    if (copy) this.take(copy);
    return Boolean(copy) || letter === "escape";
  }
}
