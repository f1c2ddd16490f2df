// The run: columns as `data.js` brings them, and what can be asked of them by the number of a cell.

const FORMAT = 2; // of `data.js`: the shape that this page reads
const REQUEST_ORDER = ["prompt", "size", "seed", "loras", "image_url", "strength", "mask", "output_format", "enable_base64_output"];
const STATES = ["done", "failed", "rejected", "unknown", "pending", "submitting", "submitted", "excluded"]; // as they are shown
const RETRIED = ["failed", "rejected", "unknown"]; // again only where `--retry` says so

/** Kinds of data that a page may hold, each with the class that reads it. */
const READERS = {};

class Dataset {
  constructor(raw) {
    this.raw = raw;
    this.about = raw.about;
    this.jobs = new Jobs(raw.jobs);
    this.strings = raw.strings;
    this.jobOf = unpackNumbers(raw.cells.job);
    this.size = this.jobOf.length;
    this.axes = raw.axes.map((axis, index) => new Axis(axis, index, unpackNumbers(raw.cells.coordinates[index])));
    this.varying = this.axes.filter((axis) => axis.varies || axis.partial);
    this.byName = new Map(this.axes.map((axis) => [axis.name, axis]));
    this.states = [...raw.states, "excluded"];
    this.stateOf = new Uint8Array(this.size); // by cell, a number into the states
    this.shapeOf = new Int32Array(this.size).fill(ABSENT); // by cell, a number into the shapes
    this.rules = null; // unpacked when one is asked for
    this.whole = null; // what `select` found when it last had no filter
    this.numbers = null; // of jobs by key, likewise
    this.excluded = 0;
    // The cells that share a job are a chain: the first of a job, and the next after each.
    this.firstOf = new Int32Array(this.jobs.count).fill(ABSENT);
    this.nextOf = new Int32Array(this.size).fill(ABSENT);
    const { state: states, shape: shapes } = this.jobs;
    for (let cell = this.size - 1; cell >= 0; cell -= 1) {
      const job = this.jobOf[cell];
      if (job === ABSENT) {
        this.stateOf[cell] = raw.states.length;
        this.excluded += 1;
      } else {
        this.stateOf[cell] = states[job];
        this.shapeOf[cell] = shapes[job];
        this.nextOf[cell] = this.firstOf[job];
        this.firstOf[job] = cell;
      }
    }
  }

  /** Look up anew what stands by cell, after the jobs behind these cells changed. */
  renew(cells) {
    this.whole = null;
    const again = new Set(cells.map((cell) => this.jobOf[cell]));
    if (this.raw.alike) this.raw.alike = this.raw.alike.map((jobs) => jobs.filter((job) => !again.has(job)));
    for (const cell of cells) {
      this.stateOf[cell] = this.jobs.state[this.jobOf[cell]];
      this.shapeOf[cell] = this.jobs.shape[this.jobOf[cell]];
    }
  }

  job(cell) {
    return this.jobOf[cell];
  }

  /** The cells of a job in grid order. */
  cellsOf(job) {
    const cells = [];
    for (let cell = this.firstOf[job] ?? ABSENT; cell !== ABSENT; cell = this.nextOf[cell]) cells.push(cell);
    return cells;
  }

  /** What a number along the axes means: pairs of runs have another one. */
  get from() {
    return "from the baseline";
  }

  get changeName() {
    return "change from baseline";
  }

  /** Whether its pictures are judged: pairs of runs are not, the sheet of each of the two is for that. */
  get judgeable() {
    return true;
  }

  /** The states that cells are told apart by, in the order they are shown. */
  get kinds() {
    return STATES;
  }

  /** What such a state is called. */
  kindWords(kind) {
    return kind;
  }

  /** Which of them a cell is in. */
  kind(cell) {
    return this.states[this.stateOf[cell]];
  }

  jobOfKey(key) {
    this.numbers ??= new Map(this.jobs.key.map((own, job) => [own, job]));
    return this.numbers.get(key) ?? ABSENT;
  }

  text(number) {
    return number === ABSENT ? "" : this.strings[number];
  }

  state(cell) {
    return this.kind(cell);
  }

  /** How many of these cells are no excluded ones. */
  shown(cells) {
    return this.excluded === 0 ? cells.length : cells.reduce((sum, cell) => sum + (this.job(cell) !== ABSENT), 0);
  }

  rule(cell) {
    this.rules ??= unpackNumbers(this.raw.cells.rule);
    return this.text(this.rules[cell]);
  }

  prompt(cell) {
    const job = this.job(cell);
    return job === ABSENT ? "" : this.strings[this.jobs.prompt[job]];
  }

  flagged(cell) {
    const job = this.job(cell);
    return job !== ABSENT && this.jobs.flagged[job] === 1;
  }

  warnings(cell) {
    const job = this.job(cell);
    return job === ABSENT ? [] : this.text(this.jobs.warnings[job]).split("\n").filter(Boolean);
  }

  /** Why a cell shows no picture, in the words of the rule, the server or the runner. */
  reason(cell) {
    const job = this.job(cell);
    if (job === ABSENT) return this.rule(cell);
    return [this.text(this.jobs.reason[job]), this.text(this.jobs.message[job])].filter(Boolean).join(": ");
  }

  /** What the server or the runner said of why there is no picture. */
  message(cell) {
    const job = this.job(cell);
    return job === ABSENT ? "" : this.text(this.jobs.message[job]);
  }

  /** A submitted job with a reason was given up on for now: nothing is under way, the next run asks again. */
  waits(cell) {
    return this.state(cell) === "submitted" && this.jobs.reason[this.job(cell)] !== ABSENT;
  }

  /** The state in a word or two, for a thumbnail. */
  word(cell) {
    return this.waits(cell) ? "not here yet" : this.state(cell);
  }

  /** The state where there is room to say what it means. */
  words(cell) {
    return this.waits(cell) ? "known to the server, picture not here yet" : this.state(cell);
  }

  /** The reason in a few words: the server's or the runner's own code, or the rule. */
  brief(cell) {
    const job = this.job(cell);
    return job === ABSENT ? this.rule(cell) : this.text(this.jobs.reason[job]).replaceAll("_", " ").toLowerCase();
  }

  /** The axes along which it is known how far pictures are from their baseline; that of LoRAs is the first. */
  get measured() {
    return Object.keys(this.raw.changes).map((name) => this.byName.get(name));
  }

  /** How far the picture is from its baseline along an axis: 0 to 1, `null` where that is not known. */
  change(cell, axis = this.measured[0]) {
    const job = this.job(cell);
    if (job === ABSENT || !axis || !this.raw.changes[axis.name]) return null;
    const thousandths = (axis.changes ??= unpackNumbers(this.raw.changes[axis.name]))[job];
    return thousandths === null ? null : thousandths / 1000;
  }

  /** How far apart two pictures are, where one of them is the other's baseline or as good as that; else `null`. */
  changeBetween(one, other) {
    const apart = this.axes.filter(({ column }) => column[one] !== column[other]);
    for (const axis of this.measured) {
      if (!apart.every((own) => own === axis || (axis.name.startsWith("lora.") && own.name.startsWith("lora.")))) continue;
      const changes = [this.change(one, axis), this.change(other, axis)];
      if (changes.includes(0)) return changes.find((change) => change !== 0) ?? (changes.includes(null) ? null : 0);
    }
    return null;
  }

  /** Whether two pictures came as the same bytes; what was written into the files need not be the same. */
  equal(one, other) {
    const [first, second] = [this.job(one), this.job(other)];
    if (first === ABSENT || second === ABSENT) return false;
    return first === second || (this.raw.alike ?? []).some((jobs) => jobs.includes(first) && jobs.includes(second));
  }

  /** Cells that show the same job as this one, itself among them. */
  twins(cell) {
    const job = this.job(cell);
    return job === ABSENT ? [cell] : this.cellsOf(job);
  }

  thumb(cell) {
    const job = this.job(cell);
    if (this.raw.thumbnails) return this.raw.thumbnails[job];
    const special = this.jobs.thumb[job];
    return address(special === ABSENT ? `thumbs/${this.jobs.key[job].slice(0, 16)}.jpg` : this.strings[special]);
  }

  /** What is known of the run that a picture is of. */
  aboutOf() {
    return this.about;
  }

  /** Whether there are only thumbnails: in a page that travels alone, or whose pictures lie in an object store. */
  get small() {
    return Boolean(this.raw.thumbnails || this.raw.about.images);
  }

  /** The picture itself, or what there is of it. */
  picture(cell) {
    return this.small ? this.thumb(cell) : address(this.jobs.file[this.job(cell)]);
  }

  pixels(cell) {
    const job = this.job(cell);
    return job === ABSENT ? null : this.raw.shapes[this.jobs.shape[job]];
  }

  /** Width over height; what was asked for where there is no picture yet. */
  aspect(cell) {
    const [width, height] = this.pixels(cell) ?? this.raw.shapes[0] ?? [1, 1];
    return Math.min(4, Math.max(0.25, width / height));
  }

  /** Width over height of what stands for a cell in the grid. */
  tileAspect(cell) {
    return this.aspect(cell);
  }

  /** All that there are. */
  get tileAspects() {
    return this.raw.shapes.map(([width, height]) => width / height || 1);
  }

  request(cell) {
    const job = this.job(cell);
    const body = { prompt: this.prompt(cell), seed: this.jobs.seed[job], ...this.raw.rests[this.jobs.rest[job]] };
    return Object.fromEntries(REQUEST_ORDER.filter((name) => name in body).map((name) => [name, body[name]]));
  }

  /** The coordinates of a cell, only those axes that it has. */
  coordinates(cell) {
    return this.axes.filter((axis) => axis.column[cell] !== ABSENT).map((axis) => [axis, axis.column[cell]]);
  }

  /** One line about a cell, for alternative texts and titles. */
  describe(cell) {
    const where = this.coordinates(cell).filter(([axis]) => axis.varies).map(([axis, value]) => `${axis.short} ${axis.brief(value, 60)}`);
    const verdict = this.state(cell) === "done" ? [] : [this.words(cell), this.reason(cell)].filter(Boolean);
    return hint([where.join(", ") || middle(this.prompt(cell), 80) || "image", ...verdict].join(": "));
  }

  /** Cells that differ from this one along one axis only, in the order of its values. */
  line(cell, axis) {
    return (this.lines ??= new Lines(this)).through(cell, axis);
  }

  /** The command that goes on with the run, of all its jobs. */
  get again() {
    return this.about.again || `zbatch run ${shellWord(this.about.manifest || `${this.about.name}.yaml`)}`;
  }

  /** What a person types to have this cell made again, or made at all. */
  command(cell) {
    const { again } = this;
    const state = this.state(cell);
    if (RETRIED.includes(state)) return `${again} --retry ${state}`;
    return ["pending", "submitted", "submitting"].includes(state) ? again : "";
  }
}

READERS.sheet = Dataset;
