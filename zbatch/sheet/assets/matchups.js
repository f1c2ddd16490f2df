// Which two pictures are shown next: every value meets every other equally often, in an order that a seed decides.

const MOST_VALUES = 40; // of an axis; more would take thousands of comparisons

/** Small numbers that look random and are the same for the same seed (mulberry32). */
function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(list, seed) {
  const roll = dice(seed);
  const mixed = [...list];
  for (let at = mixed.length - 1; at > 0; at -= 1) {
    const other = Math.floor(roll() * (at + 1));
    [mixed[at], mixed[other]] = [mixed[other], mixed[at]];
  }
  return mixed;
}

class Matchups {
  /** Of these cells, those with a picture are paired along the axis, everything else held. */
  constructor(data, cells, axis, seed) {
    Object.assign(this, { data, axis, seed });
    const open = new Set(cells.filter((cell) => data.state(cell) === "done" && axis.column[cell] !== ABSENT));
    const lines = [];
    const seen = new Set();
    for (const cell of open) {
      if (seen.has(cell)) continue;
      const line = new Map();
      for (const other of data.line(cell, axis)) {
        seen.add(other);
        if (open.has(other) && !line.has(axis.column[other])) line.set(axis.column[other], other);
      }
      if (line.size > 1) lines.push(line);
    }
    this.lines = shuffled(lines, seed);
    this.values = [...new Set(lines.flatMap((line) => [...line.keys()]))].sort((one, other) => one - other);
    this.skipped = new Set(); // by the person
    this.missed = new Set(); // as a picture is not there
  }

  /** How many pairs there are, each once where lines share pictures. */
  get total() {
    if (this.count !== undefined) return this.count;
    const shared = new Set();
    this.count = 0;
    for (const line of this.lines) {
      const jobs = [...new Set([...line.values()].map((cell) => this.data.job(cell)))];
      const twice = jobs.filter((job) => this.#linesOf(job).length > 1);
      this.count += pairCount(jobs.length) - pairCount(twice.length);
      for (const [at, one] of twice.entries()) for (const other of twice.slice(at + 1)) shared.add(pairName(one, other));
    }
    return (this.count += shared.size);
  }

  /** How many of them were compared. */
  compared(comparisons) {
    const jobs = [...this.done(comparisons)].map((name) => name.split(" ").map(Number));
    return jobs.filter(([one, other]) => this.#linesOf(one).some((line) => this.#linesOf(other).includes(line))).length;
  }

  /** Of each of these values, how many pairs with it were not compared. */
  left(comparisons, values) {
    const done = this.done(comparisons);
    return values.map((value) => {
      const names = new Set();
      for (const line of this.lines) {
        const own = line.get(value);
        if (own === undefined) continue;
        for (const cell of line.values()) if (this.data.job(cell) !== this.data.job(own)) names.add(this.#name(own, cell));
      }
      return [...names].filter((name) => !done.has(name)).length;
    });
  }

  /** Why there is no next one, where so many were compared. */
  ended(compared) {
    const { size } = this.skipped;
    if (this.many) return `${this.axis.short} has more than ${MOST_VALUES} values: hide some in the page first, and compare the rest.`;
    if (this.total === 0) return `No two pictures differ in ${this.axis.short} alone.`;
    if (size) return `Every pair was compared, but for ${count(size)} that ${size === 1 ? "was" : "were"} skipped.`;
    return compared < this.total ? "Every pair was compared whose pictures are there." : "Every pair was compared.";
  }

  /** What the pictures of a pair have alike, in words: an axis may bring words to the prompt, a trigger say, or a seed. */
  get alike() {
    const { prompt, seed } = this.data.jobs;
    const differ = (column) => this.lines.some((line) => new Set([...line.values()].map((cell) => column[this.data.job(cell)])).size > 1);
    const own = this.axis.short;
    const more = [differ(prompt) ? "what it brings to the prompt" : "", this.axis.name !== "seed" && differ(seed) ? "the seed, which goes with it" : ""].filter(Boolean);
    if (more.length) return `Alike: all but ${[own, ...more].join(more.length > 1 ? ", " : " and ")}`;
    return this.axis.name === "seed" ? "Alike: all but the seed" : `Alike: all but ${own}, prompt and seed too`;
  }

  /** The lines that a job stands in. */
  #linesOf(job) {
    if (this.places === undefined) {
      this.places = new Map();
      for (const line of this.lines) for (const own of new Set([...line.values()].map((cell) => this.data.job(cell)))) this.places.set(own, [...(this.places.get(own) ?? []), line]);
    }
    return this.places.get(job) ?? [];
  }

  get many() {
    return this.values.length > MOST_VALUES;
  }

  #name(one, other) {
    return pairName(this.data.job(one), this.data.job(other));
  }

  /** Of the pairs here, which were compared: by what the person said so far, along this axis. */
  done(comparisons) {
    const names = new Set();
    for (const { a, b, axis } of comparisons) {
      if (axis !== this.axis.name) continue;
      const [one, other] = [this.data.jobOfKey(a), this.data.jobOfKey(b)];
      if (one !== ABSENT && other !== ABSENT) names.add(pairName(one, other));
    }
    return names;
  }

  skip([one, other]) {
    this.skipped.add(this.#name(one, other));
  }

  miss([one, other]) {
    this.missed.add(this.#name(one, other));
  }

  /** The next pair, left and right; `null` where all were compared. `besides`: comparisons to come, as names. */
  next(comparisons, besides = []) {
    const done = this.done(comparisons);
    const met = new Map(); // how often two values met
    const meet = (one, other) => { const name = pairName(one, other); met.set(name, (met.get(name) ?? 0) + 1); };
    for (const pair of comparisons) {
      const values = pair.axis === this.axis.name ? comparedValues(this.data, pair) : null;
      if (values !== null) meet(...values);
    }
    for (const [one, other] of besides) {
      done.add(this.#name(one, other));
      meet(this.axis.column[one], this.axis.column[other]);
    }
    const order = shuffled(this.#meetings, this.seed + 1);
    order.sort((one, other) => (met.get(one.join(" ")) ?? 0) - (met.get(other.join(" ")) ?? 0));
    const roll = dice(this.seed + 7919 * done.size);
    for (const [one, other] of order) {
      // From another place each time: a first dozen is to be of many prompts and seeds.
      const start = Math.floor(roll() * this.lines.length);
      for (let step = 0; step < this.lines.length; step += 1) {
        const line = this.lines[(start + step) % this.lines.length];
        const [a, b] = [line.get(one), line.get(other)];
        if (a === undefined || b === undefined || this.data.job(a) === this.data.job(b)) continue;
        const name = this.#name(a, b);
        if (done.has(name) || this.skipped.has(name) || this.missed.has(name)) continue;
        return roll() < 0.5 ? [a, b] : [b, a];
      }
    }
    return null;
  }

  get #meetings() {
    return (this.meetings ??= this.values.flatMap((one, at) => this.values.slice(at + 1).map((other) => [one, other])));
  }
}

const pairName = (one, other) => (one < other ? `${one} ${other}` : `${other} ${one}`);
const pairCount = (size) => (size * (size - 1)) / 2;
