// An axis of the grid: its values, the number of each cell's among them, and what they are called where there is little room.

const ABSENT = -1; // no number: a cell without the coordinate, without a job, a text that there is not
const BRIEFLY = 44; // letters of a value where it stands among others, on a chip as on paper

class Axis {
  constructor({ name, values, numeric }, index, column) {
    Object.assign(this, { name, values, numeric, index, column });
    this.short = name.split(".").findLast((part) => part !== "name") ?? name;
    this.labels = values.map((value) => (typeof value === "boolean" ? (value ? "true" : "false") : String(value)));
    this.siblings = new Siblings(this.labels);
    this.varies = values.length > 1;
    this.partial = column.includes(ABSENT); // some cells have no such coordinate
    this.longest = this.labels.reduce((most, label) => Math.max(most, label.length), 0);
  }

  /** The numbers of its values, and that of having none where some cells have none. */
  get numbers() {
    const numbers = this.values.map((_, value) => value);
    return this.partial ? [...numbers, ABSENT] : numbers;
  }

  label(value) {
    return value === ABSENT || value === undefined ? "—" : this.labels[value];
  }

  /** A value with the name of its axis, as far as a title shows it. */
  title(value) {
    return hint(`${this.name}: ${this.label(value)}`);
  }

  brief(value, limit) {
    return value === ABSENT || value === undefined ? "—" : this.siblings.brief(value, limit);
  }
}
