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
    this.skipped = new Set();
  }

  /** How many pairs there are. */
  get total() {
    return (this.count ??= this.lines.reduce((sum, line) => sum + pairCount(new Set([...line.values()].map((cell) => this.data.job(cell))).size), 0));
  }

  get many() {
    return this.values.length > MOST_VALUES;
  }

  #name(one, other) {
    const [a, b] = [this.data.job(one), this.data.job(other)];
    return a < b ? `${a} ${b}` : `${b} ${a}`;
  }

  /** Of the pairs here, which were compared: by what the person said so far, along this axis. */
  done(comparisons) {
    const names = new Set();
    for (const { a, b, axis } of comparisons) {
      if (axis !== this.axis.name) continue;
      const [one, other] = [this.data.jobOfKey(a), this.data.jobOfKey(b)];
      if (one !== ABSENT && other !== ABSENT) names.add(one < other ? `${one} ${other}` : `${other} ${one}`);
    }
    return names;
  }

  skip([one, other]) {
    this.skipped.add(this.#name(one, other));
  }

  /** The next pair, left and right; `null` where all were compared. `besides`: comparisons to come, as names. */
  next(comparisons, besides = []) {
    const done = this.done(comparisons);
    const met = new Map(); // how often two values met
    const meet = (one, other) => { const name = one < other ? `${one} ${other}` : `${other} ${one}`; met.set(name, (met.get(name) ?? 0) + 1); };
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
        if (done.has(name) || this.skipped.has(name)) continue;
        return roll() < 0.5 ? [a, b] : [b, a];
      }
    }
    return null;
  }

  get #meetings() {
    return (this.meetings ??= this.values.flatMap((one, at) => this.values.slice(at + 1).map((other) => [one, other])));
  }
}

const pairCount = (size) => (size * (size - 1)) / 2;
