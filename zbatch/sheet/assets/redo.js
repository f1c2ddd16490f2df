// What makes a cell again: the command for it alone beside the one for all of its kind, and what each may cost.

/** What submitting costs, for one job and for several; what goes on costs what any job does. */
const COSTS = {
  failed: ["a new attempt may be billed", "each new attempt may be billed"],
  rejected: ["the API refused it; billed if it takes it now", "the API refused them; billed where it takes them now"],
  unknown: ["it may have been billed: this may be billed twice", "they may have been billed: each may be billed twice"],
  pending: ["billed as any image", "each billed as any image"],
  submitted: ["asks the server for it, costs nothing", "asks the server for them, costs nothing"],
  submitting: ["where the run was cut off it is held as unknown, and not submitted twice", "where the run was cut off they are held as unknown, and not submitted twice"],
};

/** The leave to submit again what ended badly: without it, a run passes it over. */
const leave = (state) => (RETRIED.includes(state) ? [`--retry ${state}`] : []);

/** `zbatch run` for this cell alone. */
function onlyText(data, cell) {
  const where = data.coordinates(cell).map(([axis, value]) => `--only ${shellWord(`${axis.name}=${onlyValue(axis.label(value))}`)}`);
  return `${[data.again, ...leave(data.state(cell)), ...where].join(" ")}\n`;
}

/** In double quotes a value is one value, whatever commas, spaces and quotes it has. */
const onlyValue = (text) => (text === "" || /[",]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** The jobs that this selects: cells that lack an axis cannot be told from those that have it. */
function onlyJobs(data, cell) {
  const where = data.coordinates(cell);
  const jobs = new Set();
  for (let other = 0; other < data.size; other += 1) {
    if (data.job(other) !== ABSENT && where.every(([axis, value]) => axis.column[other] === value)) jobs.add(data.job(other));
  }
  return jobs;
}

/** The ways to have a cell made, each as words, what it may cost, and the command. */
function redoWays(data, cell) {
  const state = data.state(cell);
  if (!Object.hasOwn(COSTS, state)) return [];
  const only = kinds(data, onlyJobs(data, cell), state);
  const every = kinds(data, data.jobs.state.keys(), state);
  const alone = { words: only.own > 1 ? `These ${count(only.own)} only, as this cell has no axis of its own` : "This one only", cost: costWords(data, state, only), command: onlyText(data, cell).trimEnd() };
  if (every.own === only.own) return [alone];
  return [alone, { words: `All ${count(every.own)} ${state}`, cost: costWords(data, state, every), command: [data.again, ...leave(state)].join(" ") }];
}

/** How many of these jobs are in the state, and how many more are waiting and would go along. */
function kinds(data, jobs, state) {
  const [own, waiting] = [state, "pending"].map((name) => data.raw.states.indexOf(name));
  const found = { own: 0, waiting: 0 };
  for (const job of jobs) {
    if (data.jobs.state[job] === own) found.own += 1;
    else if (data.jobs.state[job] === waiting) found.waiting += 1;
  }
  return found;
}

function costWords(data, state, { own, waiting }) {
  const cost = data.about.endpoint_kind === "preview" ? "costs nothing at the built-in endpoint" : COSTS[state][own > 1 ? 1 : 0];
  return waiting ? `${cost}; makes the ${count(waiting)} pending, too` : cost;
}

/** What the command for this cell does, in a line. */
function onlyHint(data, cell) {
  const state = data.state(cell);
  if (state === "done") return "The command that runs this cell only; it is done: nothing is submitted where its image is";
  const words = RETRIED.includes(state) ? "Submits this cell again, and no other" : "The command that runs this cell only";
  return `${words}: ${costWords(data, state, kinds(data, onlyJobs(data, cell), state))}`;
}

/** What is said when it is copied: what a person should know before typing it. */
function onlyNote(data, cell) {
  const [state, jobs] = [data.state(cell), onlyJobs(data, cell)];
  const notes = [
    jobs.size > 1 ? `selects ${plural(jobs.size, "job")}, as this cell has no axis of its own` : "",
    RETRIED.includes(state) ? costWords(data, state, kinds(data, jobs, state)) : "",
  ].filter(Boolean);
  return notes.length ? `(${notes.join("; ")})` : "";
}
