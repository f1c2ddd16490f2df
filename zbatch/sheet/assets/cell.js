// One cell as it is drawn: a thumbnail, or a state with its reason.

const LINE = 14; // pixels of a line of a reason
const LETTER_OF = { word: 7, why: 6 }; // pixels, about
const SLIM = 56; // pixels: a narrower cell has no room for words, nor for a badge of the usual size
const NARROW = 84; // pixels: in a narrower one words that do not fit would break in the middle

/** `turn` says which cell of the slot's stack is on top; `old` is what stands for the slot so far, and stays if it shows the same. */
function cellElement(data, slot, turn, layout, old) {
  const on = turn % slot.cells.length;
  const cell = slot.cells[on];
  const state = data.kind(cell);
  const box = slot.box ?? layout.box(cell);
  // A picture fits into every size; words are chosen for one.
  const look = [cell, on, slot.cells.length, state, ...(state === "done" && !data.draw ? [] : [box.width, box.height])].join(" ");
  const element = old?.look === look ? old : Object.assign(drawnCell(data, cell, { state, box, on, stack: slot.cells.length }), { look });
  element.classList.toggle("slim", box.width < SLIM);
  element.style.width = `${box.width}px`;
  element.style.height = `${box.height}px`;
  return element;
}

function drawnCell(data, cell, { state, box, on, stack }) {
  const twins = data.twins(cell).length;
  const element = make("div", {
    class: "cell", role: "gridcell", tabindex: -1, "data-state": state,
    "data-stack": stack > 1 ? `${on + 1}/${stack}` : null,
    // A small cell needs its room for the reason; its title tells of the twins too.
    "data-twins": twins > 1 && (state === "done" || box.height >= 84) ? `×${count(twins)}` : null,
    "data-flag": data.flagged(cell) ? "nsfw" : data.warnings(cell).length ? "warning" : null,
  });
  if (data.draw) data.draw(cell, element, box);
  else if (state === "done") element.append(thumbnail(data, cell, element));
  else element.append(...verdict(data, cell, state, box));
  element.cell = cell;
  markElement(data, element, stack);
  return element;
}

/** What is said of the picture, and all that its hint tells. */
function markElement(data, element, stack) {
  const { cell } = element;
  const opinion = data.judging.opinion(cell);
  element.title = visible(tip(data, cell, data.twins(cell).length, stack));
  if (opinion === null && !("mark" in element.dataset)) return;
  if (opinion === null) delete element.dataset.mark;
  else element.dataset.mark = data.judging.mark(cell);
  element.toggleAttribute("data-reject", Boolean(opinion?.reject));
}

/** What stands for a cell while it flies past. */
function blankElement(cell, box) {
  const element = make("div", { class: "cell", role: "gridcell", tabindex: -1 });
  element.style.width = `${box.width}px`;
  element.style.height = `${box.height}px`;
  return Object.assign(element, { cell, blank: true });
}

function tip(data, cell, twins, stack) {
  const parts = [data.describe(cell)];
  if (twins > 1) parts.push(`the same image stands in ${count(twins)} cells`);
  if (stack > 1) parts.push(`${count(stack)} images lie here: ] turns them over, Enter opens them`);
  if (data.judging.opinion(cell)) parts.push(data.judging.words(cell));
  if (data.flagged(cell)) parts.push("the server flagged this image as NSFW");
  parts.push(...data.warnings(cell));
  if (data.command(cell)) parts.push(RETRIED.includes(data.state(cell)) ? `${data.command(cell)} (all ${data.state(cell)}; Enter: this one only)` : data.command(cell));
  else if (data.state(cell) === "excluded") parts.push("no command makes it: the manifest's rule leaves it out");
  return hint(parts.join("\n"));
}

function thumbnail(data, cell, element) {
  const image = make("img", { alt: data.describe(cell), decoding: "async", draggable: "false" });
  const gone = () => {
    element.dataset.state = "missing";
    image.replaceWith(icon("missing"), make("span", { class: "word", text: "file missing" }));
  };
  // To ask for the forty pictures of another view takes eight milliseconds, which the frame need not wait for.
  afterFrame(() => showFirst(image, [data.thumb(cell), data.picture(cell)], gone));
  return image;
}

/** Why there is no picture, in so many letters: in full where it fits, else what the server said, else a few words. */
function toldIn(data, cell, room) {
  const [whole, said] = [data.reason(cell), data.message(cell)];
  if (whole.length <= room || room > 60) return middle(whole, Math.min(160, room));
  return said && said.length <= room ? said : middle(data.brief(cell), room);
}

/** The state and what is told of it; a small cell leaves out its icon for that. Words that cannot stand whole are left to the cell's hint. */
function verdict(data, cell, state, box) {
  const words = data.word(cell);
  if (!stands(words, LETTER_OF.word, box.width)) return [icon(state)];
  const across = Math.floor((box.width - 14) / LETTER_OF.why);
  const lines = Math.floor((box.height - 16 - 15 * Math.ceil(words.length / across)) / LINE);
  const brief = data.brief(cell);
  const marked = !brief || lines >= 3;
  const room = Math.floor(across * (marked ? lines - 1.5 : lines) * 0.9); // words do not fill their lines
  const why = toldIn(data, cell, room);
  const told = brief && room >= 6 && (box.width >= NARROW || stands(why, LETTER_OF.why, box.width));
  return [
    marked ? icon(state) : null,
    make("span", { class: "word", text: words }),
    told ? make("span", { class: "why", dir: "auto" }, ...breakable(why)) : null,
  ].filter(Boolean);
}

/** Whether the longest of these words fits into a cell so wide. */
const stands = (text, letter, width) => Math.max(...text.split(/\s+/).map((word) => word.length)) * letter <= width - 6;
