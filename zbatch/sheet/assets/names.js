// What cells are called in the address: by their job's key, which is the same in a sheet that is rendered again.

/** A cell's name: its job's key, and which of the cells that share it. */
function cellName(data, cell) {
  const job = data.job(cell);
  if (job === ABSENT) return `cell.${cell}`;
  const twin = data.twins(cell).indexOf(cell);
  return data.jobs.key[job].slice(0, 12) + (twin > 0 ? `.${twin}` : "");
}

/** The cell of a name, `null` where this sheet has it not. */
function cellNamed(data, name) {
  const [key, number] = name.split(".");
  const job = key === "cell" || key.length < 8 ? ABSENT : data.jobs.key.findIndex((own) => own.startsWith(key));
  const cell = job === ABSENT ? (key === "cell" ? Number(number) : -1) : data.cellsOf(job)[Number(number ?? 0)];
  return cell >= 0 && cell < data.size && Number.isInteger(cell) ? cell : null;
}
