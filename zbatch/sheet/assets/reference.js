// What a picture is compared with: a cell that was pinned, or one that stands in a relation and goes along.

const RELATIONS = {
  baseline: { words: "Baseline", title: "The same without the LoRA: at 0 on the numeric axis" },
  previous: { words: "Previous", title: "The one before it on the strip" },
  next: { words: "Next", title: "The one after it on the strip" },
};

const MOST_PINS = 3; // and the picture itself: four beside each other

/** The cell a reference means for this cell, or null where there is none. */
function resolveReference(reference, data, cell, scrubber) {
  if (typeof reference === "number") return reference;
  if (RELATIONS[reference].find) return RELATIONS[reference].find(data, cell);
  if (reference === "baseline") return baselineOf(data, cell);
  const at = scrubber.root.hidden ? -1 : scrubber.cells.indexOf(cell);
  return at < 0 ? null : scrubber.cells[at + (reference === "next" ? 1 : -1)] ?? null;
}

/** The same cell at 0 along a numeric axis, a LoRA's scale first; else the one with LoRA `none`. */
function baselineOf(data, cell) {
  const scales = data.varying
    .filter((axis) => axis.numeric && !["seed", "replica"].includes(axis.name) && axis.values.includes(0) && axis.column[cell] !== ABSENT)
    .sort((one, other) => (other.name === "lora.scale") - (one.name === "lora.scale"));
  for (const axis of scales) {
    const zero = axis.values.indexOf(0);
    const found = data.line(cell, axis).find((other) => axis.column[other] === zero);
    if (found !== undefined) return found;
  }
  return withoutLora(data, cell);
}

function withoutLora(data, cell) {
  const names = data.byName.get("lora.name");
  const none = names ? names.labels.indexOf("none") : -1;
  if (none < 0) return null;
  const held = data.axes.filter((axis) => !axis.name.startsWith("lora."));
  for (let other = 0; other < data.size; other += 1) {
    if (names.column[other] === none && held.every((axis) => axis.column[other] === axis.column[cell])) return other;
  }
  return null;
}
