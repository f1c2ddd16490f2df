// One cell as it is drawn: a thumbnail, or a state with its reason.

/** `turn` says which cell of the slot's stack is on top. */
function cellElement(data, slot, turn, layout) {
  const cell = slot.cells[turn % slot.cells.length];
  const state = data.state(cell);
  const box = slot.box ?? layout.box(cell);
  const twins = data.twins(cell).length;
  const element = make("div", {
    class: "cell", role: "button", tabindex: -1, "data-state": state,
    "data-stack": slot.cells.length > 1 ? `${(turn % slot.cells.length) + 1}/${slot.cells.length}` : null,
    "data-twins": twins > 1 ? `×${count(twins)}` : null,
    "data-flag": data.flagged(cell) ? "nsfw" : data.warnings(cell).length ? "warning" : null,
    title: tip(data, cell, twins, slot.cells.length),
  });
  element.style.width = `${box.width}px`;
  element.style.height = `${box.height}px`;
  if (state === "done") element.append(thumbnail(data, cell, element));
  else element.append(...verdict(data, cell, state, box));
  element.cell = cell;
  return element;
}

function tip(data, cell, twins, stack) {
  const parts = [data.describe(cell)];
  if (twins > 1) parts.push(`the same image stands in ${count(twins)} cells`);
  if (stack > 1) parts.push(`${count(stack)} images lie here: Space turns them over, Enter opens them`);
  if (data.flagged(cell)) parts.push("the server flagged this image as NSFW");
  parts.push(...data.warnings(cell));
  if (data.command(cell)) parts.push(data.command(cell));
  return hint(parts.join("\n"));
}

function thumbnail(data, cell, element) {
  const image = make("img", { alt: data.describe(cell), decoding: "async", draggable: "false" });
  image.addEventListener("error", () => {
    element.dataset.state = "missing";
    element.replaceChildren(icon("missing"), make("span", { class: "word", text: "file missing" }));
  });
  image.src = data.thumb(cell);
  return image;
}

function verdict(data, cell, state, box) {
  const parts = [icon(state), make("span", { class: "word", text: STATE_WORDS[state] })];
  const reason = data.reason(cell);
  const room = Math.floor((box.width * box.height) / 260);
  if (reason && box.width >= 96 && room > 12) {
    parts.push(make("span", { class: "why", dir: "auto", text: middle(reason, Math.min(160, room)) }));
  }
  return parts;
}
