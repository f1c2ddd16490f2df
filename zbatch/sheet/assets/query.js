// What the search box understands: plain words, "a phrase", axis:value, axis>number, state:failed, nsfw:true, -not.

const TERM = /(-?)(?:([\w.]+)(:|>=|<=|>|<|=))?(?:"([^"]*)"?|(\S+))/gu;

class Query {
  constructor(text, data) {
    this.data = data;
    this.tests = [];
    for (const [whole, not, name, sign, phrase, word] of text.matchAll(TERM)) {
      const value = (phrase ?? word).toLowerCase();
      const test = (name && this.#named(name.toLowerCase(), sign, value)) || this.#words((phrase ?? (not ? whole.slice(1) : whole)).toLowerCase());
      this.tests.push(not ? (cell) => !test(cell) : test);
    }
  }

  get empty() {
    return this.tests.length === 0;
  }

  accepts(cell) {
    return this.tests.every((test) => test(cell));
  }

  #named(name, sign, value) {
    const { data } = this;
    if (name === "state") return (cell) => data.state(cell).startsWith(value) || STATE_WORDS[data.state(cell)].startsWith(value);
    if (name === "nsfw") return (cell) => data.job(cell) !== ABSENT && data.flagged(cell) === ["true", "yes", "1"].includes(value);
    if (name === "key") return (cell) => data.job(cell) !== ABSENT && data.jobs.key[data.job(cell)].startsWith(value);
    if (name === "prompt") return this.#prompts(value);
    const axes = data.axes.filter((axis) => [axis.name, axis.short, axis.name.split(".").pop()].some((own) => own.toLowerCase() === name));
    if (!axes.length) return null;
    const tests = axes.map((axis) => {
      const good = axis.values.map((own, index) => compare(own, axis.labels[index].toLowerCase(), sign, value));
      return (cell) => axis.column[cell] !== ABSENT && good[axis.column[cell]];
    });
    return (cell) => tests.some((test) => test(cell));
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

function compare(own, label, sign, value) {
  if (sign === ":" || sign === "=") {
    if (typeof own === "number") return value !== "" && Number(value) === own;
    return sign === "=" ? label === value : label.includes(value);
  }
  if (typeof own !== "number") return false;
  const number = Number(value);
  return sign === ">" ? own > number : sign === "<" ? own < number : sign === ">=" ? own >= number : own <= number;
}
