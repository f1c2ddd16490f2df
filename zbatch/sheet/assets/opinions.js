// Several people's picks as one, by the rules of zbatch/picks/merging.py: ratings are averaged, the rest is decided by vote.

const saidNothing = ({ rating, favourite, reject }) => !rating && !favourite && !reject;
const moment = (when) => (when ? Date.parse(when) : -Infinity);

/** Whose file it is: those of one name, or without one from one browser, are one person's. */
const personOf = (picks, at) => picks.who?.toLowerCase() || (picks.source ? `source ${picks.source}` : `file ${at}`);

/** Whether two files are one person's; without any name, that is the same file. */
const samePerson = (one, other) => (one.who || one.source ? personOf(one, "") === personOf(other, "") : JSON.stringify(one) === JSON.stringify(other));

class Opinion {
  constructor() {
    Object.assign(this, { judges: 0, ratings: 0, stars: 0, favourites: 0, rejects: 0 });
  }

  add({ rating, favourite, reject }) {
    this.judges += 1;
    if (rating) {
      this.ratings += 1;
      this.stars += rating;
    }
    if (favourite) this.favourites += 1;
    if (reject) this.rejects += 1;
  }

  /** The mean of the ratings, `null` where nobody rated. */
  get rating() {
    return this.ratings ? this.stars / this.ratings : null;
  }

  get favourite() {
    return 2 * this.favourites > this.judges;
  }

  get reject() {
    return 2 * this.rejects > this.judges;
  }
}

/** What all say together: opinions by job key, every comparison once a person, and the people's names. */
function mergePicks(files) {
  const people = byPerson(files);
  const opinions = new Map();
  const comparisons = [];
  for (const theirs of people.values()) {
    comparisons.push(...everyComparison(theirs));
    for (const [key, said] of latest(theirs)) {
      if (saidNothing(said)) continue;
      if (!opinions.has(key)) opinions.set(key, new Opinion());
      opinions.get(key).add(said);
    }
  }
  return { opinions, comparisons, people: [...people.values()].map((theirs) => theirs.at(-1).who || "someone") };
}

const comparisonName = (pair) => [pair.a, pair.b, pair.winner, pair.axis, moment(pair.when)].join();

/** What one person compared, each time once however many of the files have it. */
const everyComparison = (files) => [...new Map(files.flatMap((picks) => picks.comparisons).map((pair) => [comparisonName(pair), pair])).values()];

/** Files by person, who is called as by `personOf`. */
function byPerson(files) {
  const people = new Map();
  for (const [at, picks] of files.entries()) {
    const person = personOf(picks, at);
    if (people.has(person)) people.get(person).push(picks);
    else people.set(person, [picks]);
  }
  return people;
}

/** Whether a person's file says all that another of theirs does, so that the other counts for nothing beside it. */
function covers(picks, other) {
  const newer = moment(picks.when) > moment(other.when);
  const names = new Set(picks.comparisons.map(comparisonName));
  return other.comparisons.every((pair) => names.has(comparisonName(pair))) && Object.entries(other.jobs).every(([key, said]) => {
    const own = picks.jobs[key];
    if (!own || moment(own.when) < moment(said.when)) return false;
    return newer || moment(own.when) > moment(said.when) || alike(own, said);
  });
}

/** Of which images a file says something else than counts among `all` of its person, and whether it gives no time for it. */
function outdone(picks, all) {
  const last = new Map(latest(all));
  const lost = Object.entries(picks.jobs).filter(([key, said]) => !alike(said, last.get(key)));
  return { keys: lost.map(([key]) => key), undated: lost.every(([, said]) => !said.when) };
}

const alike = (one, other) => ["rating", "favourite", "reject"].every((field) => (one[field] || null) === (other[field] || null));

/** What one person said last of each image; of two at one time, what the later file says. */
function latest(files) {
  if (files.length === 1) return Object.entries(files[0].jobs);
  const last = new Map();
  for (const picks of files.toSorted((one, other) => (moment(one.when) < moment(other.when) ? -1 : moment(one.when) > moment(other.when) ? 1 : 0))) {
    for (const [key, said] of Object.entries(picks.jobs)) if (!last.has(key) || moment(said.when) >= moment(last.get(key).when)) last.set(key, said);
  }
  return last;
}
