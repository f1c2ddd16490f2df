// What the search box understands: plain words, "a phrase", axis:value, axis:1..2, axis>number, state:, nsfw:, change>, rating>, is:, -not.

const TERM = /(-?)(?:([\p{L}\p{N}_.]+)(:|>=|<=|>|<|=))?(?:"([^"]*)"?|(\S+))/gu;
const UNFINISHED = /^-?[\p{L}\p{N}_.]+(?::|>=|<=|>|<|=)$/u;
const OWN_NAMES = ["state", "nsfw", "key", "prompt", "change"];
const JUDGED_NAMES = ["rating", "is"]; // an axis may be called so: then that is meant
const JUDGED_WORDS = {
  favourite: (judging, cell) => Boolean(judging.opinion(cell)?.favourite), reject: (judging, cell) => Boolean(judging.opinion(cell)?.reject),
  rated: (judging, cell) => judging.rating(cell) !== null, judged: (judging, cell) => judging.said(cell) !== null, unjudged: (judging, cell) => judging.data.state(cell) === "done" && judging.said(cell) === null,
};
const JUDGED_ALIASES = { favorite: "favourite", rejected: "reject", unrated: "unjudged" };
const VERDICTS = { true: true, yes: true, 1: true, false: false, no: false, 0: false, unknown: null, none: null };
const NOTHING = () => false;

class Query {
  constructor(text, data) {
    this.data = data;
    this.tests = [];
    this.complaints = []; // what was not understood: { words, meant, instead }
    for (const [whole, not, name, sign, phrase, word] of text.matchAll(TERM)) {
      if (whole === "-" || (!name && !phrase && UNFINISHED.test(whole) && this.#axesCalled(whole.match(/[\p{L}\p{N}_.]+/u)[0]) !== null)) continue; // being typed
      const value = (phrase ?? word).toLowerCase();
      const plain = (phrase !== undefined && !name ? phrase : not ? whole.slice(1) : whole).toLowerCase();
      this.negated = Boolean(not);
      const test = name ? this.#named(name, sign, value, plain) : this.#words(plain);
      this.tests.push(not ? (cell) => !test(cell) : test);
    }
  }

  get empty() {
    return this.tests.length === 0;
  }

  accepts(cell) {
    return this.tests.every((test) => test(cell));
  }

  #complain(words, meant = null, instead = null) {
    this.complaints.push({ words, meant, instead });
    return NOTHING;
  }

  /** The axes that a name means, none for a name that is no axis but known, and null for an unknown one. */
  #axesCalled(name) {
    const low = name.toLowerCase();
    if (OWN_NAMES.includes(low)) return [];
    const axes = this.data.axes.filter((axis) => [axis.name, axis.short, axis.name.split(".").pop()].some((own) => own.toLowerCase() === low));
    return axes.length ? axes : this.data.judgeable && JUDGED_NAMES.includes(low) ? [] : null;
  }

  #named(name, sign, value, plain) {
    const { data } = this;
    const axes = this.#axesCalled(name);
    if (axes === null) return this.#unknown(name, plain);
    if (axes.length) return this.#valued(name, axes, sign, value);
    const own = name.toLowerCase();
    if (own === "state") return this.#stated(value);
    if (own === "nsfw") return this.#flagged(value);
    if (own === "change") return this.#changed(sign, value);
    if (own === "is") return this.#judged(value);
    if (own === "rating") return this.#rated(sign, value);
    if (own === "key") return (cell) => data.job(cell) !== ABSENT && data.jobs.key[data.job(cell)].startsWith(value);
    return this.#prompts(value);
  }

  /** `(fox:1.2)` may well be words of a prompt; else it is a name that was not spelled right. */
  #unknown(name, plain) {
    const words = this.#words(plain);
    for (let cell = 0; cell < this.data.size; cell += 1) if (words(cell)) return words;
    const names = [...new Set([...this.data.axes.flatMap((axis) => [axis.short, axis.name]), ...OWN_NAMES, ...JUDGED_NAMES])];
    const meant = nearestName(name.toLowerCase(), names);
    return this.#complain(`No axis is called “${middle(name, 30)}”`, meant, meant === null ? null : [name, meant]);
  }

  /** What the server said of a picture: of many it says nothing. */
  #flagged(value) {
    const { data } = this;
    const wanted = Object.hasOwn(VERDICTS, value) ? VERDICTS[value] : undefined;
    if (wanted === undefined) return this.#complain(`nsfw is true, false or unknown, not “${middle(value, 20)}”`);
    if (wanted === false && data.jobs.nsfw.every((verdict) => verdict === ABSENT)) return this.#complain("The server said of no picture here whether it is NSFW", "nsfw:unknown", [`nsfw:${value}`, "nsfw:unknown"]);
    const said = wanted === null ? "The server said of every picture here whether it is NSFW" : `The server called no picture here ${wanted ? "" : "not "}NSFW`;
    return this.#found(said, (cell) => data.state(cell) === "done" && (data.flagged(cell) || (data.jobs.nsfw[data.job(cell)] === ABSENT ? null : false)) === wanted);
  }

  #stated(value) {
    const { kinds } = this.data;
    if (kinds.some((kind) => kind.startsWith(value))) return (cell) => this.data.kind(cell).startsWith(value);
    const meant = nearestName(value, kinds);
    return this.#complain(`No state is called “${middle(value, 20)}”`, meant, meant === null ? null : [value, meant]);
  }

  #valued(name, axes, sign, value) {
    const wanted = wantedOf(sign, value);
    const tests = axes.map((axis) => {
      const good = axis.values.map((own, index) => wanted(own, axis.labels[index].toLowerCase()));
      return { found: good.includes(true), accepts: (cell) => axis.column[cell] !== ABSENT && good[axis.column[cell]] };
    });
    if (!tests.some(({ found }) => found)) {
      const turned = axes.some(({ numeric }) => numeric) ? turnedRound(sign, value) : null;
      if (turned) this.#complain(`${name}:${middle(value, 24)} begins above its end`, `${name}:${middle(turned, 24)}`, [value, turned]);
      else this.#complain(nothingThere(name, axes, sign, value));
    }
    return (cell) => tests.some(({ accepts }) => accepts(cell));
  }

  #judged(value) {
    const word = JUDGED_ALIASES[value] ?? value;
    if (Object.hasOwn(JUDGED_WORDS, word)) return (cell) => JUDGED_WORDS[word](this.data.judging, cell);
    if (Object.keys(JUDGED_WORDS).some((own) => own.startsWith(word))) return NOTHING; // being typed
    const meant = nearestName(word, Object.keys(JUDGED_WORDS));
    return this.#complain(`is: knows ${Object.keys(JUDGED_WORDS).join(", ")}; not “${middle(value, 20)}”`, meant, meant === null ? null : [value, meant]);
  }

  #changed(sign, value) {
    if (!this.data.measured.length) return this.#complain(`How far pictures are ${this.data.from} is not known here`);
    if (!isNumeric(value)) return this.#complain(`change is a number from 0 to 1, not “${middle(value, 20)}”`);
    const wanted = wantedOf(sign, value);
    return this.#found(`No picture here has change${sign}${middle(value, 24)}`, (cell) => wanted(this.data.change(cell), ""));
  }

  #rated(sign, value) {
    if (!isNumeric(value)) return this.#complain(`rating is a number from 1 to 5, not “${middle(value, 20)}”`);
    const wanted = wantedOf(sign, value);
    if (![1, 2, 3, 4, 5].some((rating) => wanted(rating, ""))) return this.#complain(`Nothing has rating${sign}${middle(value, 24)}: ratings go from 1 to 5`);
    return this.#found(`No picture here has rating${sign}${middle(value, 24)}`, (cell) => wanted(this.data.judging.rating(cell), ""));
  }

  /** The test as it is, and a word where it finds nothing in the whole run; to leave out what is not there is no mistake. */
  #found(words, test) {
    if (this.negated) return test;
    for (let cell = 0; cell < this.data.size; cell += 1) if (test(cell)) return test;
    this.#complain(words);
    return test;
  }

  #prompts(value) {
    const { data } = this;
    const found = new Map();
    return (cell) => {
      const job = data.job(cell);
      if (job === ABSENT) return false;
      const number = data.jobs.prompt[job];
      let good = found.get(number);
      if (good === undefined) found.set(number, (good = data.strings[number].toLowerCase().includes(value)));
      return good;
    };
  }

  /** A plain word: in the prompt, a coordinate, the state or the reason. Each distinct text is looked at once. */
  #words(value) {
    const { data } = this;
    const inPrompt = this.#prompts(value);
    const inAxes = data.axes
      .map((axis) => ({ column: axis.column, good: axis.labels.map((label) => label.toLowerCase().includes(value)) }))
      .filter(({ good }) => good.includes(true));
    return (cell) =>
      inPrompt(cell) || inAxes.some(({ column, good }) => good[column[cell]]) ||
      (data.state(cell) !== "done" && `${data.state(cell)} ${data.reason(cell)}`.toLowerCase().includes(value));
  }
}

const RANGE = /^([^.]*(?:\.\d+)?)\.\.([^.]*(?:\.\d+)?)$/;

/** The two ends of a range the other way round, where it begins above its end. */
function turnedRound(sign, value) {
  const [, low, high] = value.match(RANGE) ?? [];
  return (sign === ":" || sign === "=") && low && high && Number(low) > Number(high) ? `${high}..${low}` : null;
}

/** Whether this is a number, a list of them, or a range. */
function isNumeric(value) {
  const parts = value.match(RANGE)?.slice(1) ?? value.split(",");
  return parts.some(Boolean) && parts.every((part) => Number.isFinite(Number(part)));
}

/** A test of one value: `0.4`, `0.2..0.8` (either end may be left out), `1000,1002`, `>0.6`, or a part of a word. */
function wantedOf(sign, value) {
  if (sign !== ":" && sign !== "=") {
    const number = value === "" ? NaN : Number(value);
    const holds = { ">": (own) => own > number, "<": (own) => own < number, ">=": (own) => own >= number, "<=": (own) => own <= number }[sign];
    return (own) => typeof own === "number" && holds(own);
  }
  const [, low, high] = value.match(RANGE) ?? [];
  const range = low !== undefined && `${low}${high}` !== "" && [low, high].every((end) => end === "" || Number.isFinite(Number(end)));
  const numbers = value.split(",").filter(Boolean).map(Number);
  return (own, label) => {
    if (typeof own !== "number") return sign === "=" ? label === value : label.includes(value);
    if (range) return (low === "" || own >= Number(low)) && (high === "" || own <= Number(high));
    return numbers.includes(own);
  };
}

function nothingThere(name, axes, sign, value) {
  const numeric = axes.filter((axis) => axis.numeric && axis.values.length);
  const what = `${name}${sign}${middle(value, 24)}`;
  if (numeric.length) {
    const all = numeric.flatMap((axis) => axis.values);
    return `Nothing has ${what}: ${name} goes from ${all.reduce((one, other) => Math.min(one, other))} to ${all.reduce((one, other) => Math.max(one, other))}`;
  }
  return [">", "<", ">=", "<="].includes(sign) ? `${name} is no number: ${name}:… finds its values` : `Nothing has ${what}`;
}
