// Two runs in one page: a cell is a pair of pictures, and each of the two is a cell of its own beside it.

const OTHER = "other";

const relations = Object.entries(RELATIONS);
for (const [name] of relations) delete RELATIONS[name]; // the other run comes first
RELATIONS[OTHER] = { words: "Other run", title: "The same in the other run", find: (data, cell) => data.partner(cell) };
for (const [name, relation] of relations) RELATIONS[name] = relation;
ICONS.absent = ICONS.excluded;
KEYS.splice(KEYS.findIndex(([title]) => title === "Judge"), 1);
KEYS.find(([title]) => title === "Compare")[1].unshift(["O", "with the other run again"], ["1 2 3 4", "slider, side by side, blink, difference"]);
const searched = KEYS.find(([title]) => title === "Search");
searched[1] = [...searched[1].filter(([words]) => !/^(rating|is:|state:|change)/.test(words)), ["change>0.3", "pairs that far apart"], ["state:different", "also same, unfinished, before, after"]];

/** Numbers of cells: below `size` the pair, whose own picture is the later run's; above it the earlier run's. */
class Pairs extends Dataset {
  constructor(raw) {
    super(raw);
    const { sides, before, verdicts, verdict, change } = raw.pairs;
    Object.assign(this, { sides, home: OTHER, excluded: 0, apart: new Set() });
    this.ids = verdicts;
    this.states = verdicts;
    this.stateOf = Uint8Array.from(unpackNumbers(verdict));
    this.changes = unpackNumbers(change);
    this.jobOf = Int32Array.from([...this.jobOf, ...unpackNumbers(before)]);
    for (const axis of this.axes) axis.column = Int32Array.from([...axis.column, ...axis.column]);
    this.#shape();
    const { thumbnails } = raw.pairs;
    this.inside = thumbnails && { uris: thumbnails.uris, of: unpackNumbers(thumbnails.of) };
  }

  /** Tiles of one shape are drawn alike: by the two shapes that stand in one. */
  #shape() {
    const { shape } = this.jobs;
    const known = new Map();
    this.tiles = [];
    for (let cell = 0; cell < this.size; cell += 1) {
      const own = [this.jobOf[cell + this.size], this.jobOf[cell]].filter((job) => job !== ABSENT).map((job) => shape[job]);
      const name = own.join();
      if (!known.has(name)) {
        known.set(name, this.tiles.length);
        const [first, second = first] = own.map((number) => this.raw.shapes[number]).map(([width, height]) => Math.min(4, Math.max(0.25, width / height || 1)));
        this.tiles.push({ first, second });
      }
      this.shapeOf[cell] = known.get(name);
    }
  }

  partner(cell) {
    return cell < this.size ? cell + this.size : cell - this.size;
  }

  pairOf(cell) {
    return cell % this.size;
  }

  /** Which run a picture is of: 0 the earlier, 1 the later. */
  sideOf(cell) {
    return cell < this.size ? 1 : 0;
  }

  get from() {
    return "between the two";
  }

  get judgeable() {
    return false;
  }

  get changeName() {
    return "change";
  }

  get example() {
    return "Search: fox, seed:1000, change>0.3";
  }

  get kinds() {
    return this.ids;
  }

  kindWords(kind) {
    const [before, after] = this.sides.map(({ label }) => middle(label, 28));
    return { before: `only in ${before}`, after: `only in ${after}` }[kind] ?? kind;
  }

  kind(cell) {
    return this.states[this.stateOf[this.pairOf(cell)]];
  }

  state(cell) {
    const job = this.job(cell);
    return job === ABSENT ? "absent" : this.raw.states[this.jobs.state[job]];
  }

  word(cell) {
    return this.job(cell) === ABSENT ? `not in ${middle(this.sides[this.sideOf(cell)].label, 20)}` : super.word(cell);
  }

  words(cell) {
    return this.job(cell) === ABSENT ? this.word(cell) : super.words(cell);
  }

  rule() {
    return "";
  }

  command() {
    return "";
  }

  twins(cell) {
    return cell < this.size && this.job(cell) !== ABSENT ? super.twins(cell) : [cell];
  }

  tileAspect(cell) {
    const { first, second } = this.tiles[this.shapeOf[cell]];
    return first + second;
  }

  get tileAspects() {
    return this.tiles.map(({ first, second }) => first + second);
  }

  // ── how far apart ────────────────────────────────────────────────────────────────────────────────────

  /** The change of a pair is the same whatever axis it is looked at along. */
  get measured() {
    return this.changes.some((change) => change !== null) ? this.varying : [];
  }

  change(cell) {
    const thousandths = this.changes[this.pairOf(cell)];
    return thousandths === null ? null : thousandths / 1000;
  }

  changeBetween(one, other) {
    return this.partner(one) === other ? this.change(one) : null;
  }

  /** The change in a few words, or what there is in place of it. */
  changeWords(cell) {
    const change = this.change(cell);
    const kind = this.kind(cell);
    if (change !== null) return kind === "same" && change === 0 ? "same" : `${kind === "same" ? "same, " : ""}${change.toFixed(2)}`;
    return kind === "different" ? "not measured" : this.kindWords(kind);
  }

  describe(cell) {
    const said = super.describe(cell);
    return cell < this.size ? `${said}: ${this.changeWords(cell)}` : said;
  }

  // ── files ────────────────────────────────────────────────────────────────────────────────────────────

  #base(job) {
    return this.sides[job >= this.sides[0].first ? 0 : 1].base;
  }

  #address(job, path) {
    return this.#base(job) + address(path).slice(2);
  }

  thumb(cell) {
    const job = this.job(cell);
    const inside = this.inside ? this.inside.of[job] : ABSENT;
    if (inside !== ABSENT) return this.inside.uris[inside];
    const special = this.jobs.thumb[job];
    return this.#address(job, special === ABSENT ? `thumbs/${this.jobs.key[job].slice(0, 16)}.jpg` : this.strings[special]);
  }

  aboutOf(cell) {
    return this.sides[this.sideOf(cell)].about;
  }

  /** Each of the two runs has its pictures where they are. */
  get small() {
    return false;
  }

  /** The picture where it lies; of one that is not to be reached, in a store say, the thumbnail. */
  picture(cell) {
    const job = this.job(cell);
    return this.apart.has(this.sideOf(cell)) || this.aboutOf(cell).images ? this.thumb(cell) : this.#address(job, this.jobs.file[job]);
  }

  /** A picture is not where it should be: what to say of that, once for each run. */
  lost(cell) {
    const side = this.sideOf(cell);
    if (this.apart.has(side)) return "";
    this.apart.add(side);
    return `The pictures of ${this.sides[side].label} are not where this page looks for them: these are thumbnails`;
  }
}

READERS.pairs = Pairs;
