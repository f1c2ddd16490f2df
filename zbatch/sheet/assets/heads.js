// What stands at the edges of the grid: the head of a row, of a column, of a group; and a coordinate in words.

const TYPE = 13; // pixels: the size of the letters in heads
const HEAD = { line: 17, air: 13, most: 4 }; // pixels of a line of a column's head, and what is not lines; how many lines

/** An axis and a value on it in these words, as the heads of groups and the lightbox say it. */
function pair(axis, value, words) {
  return make("span", { class: "pair", title: axis.title(value) },
    make("span", { class: "axis", text: axis.short }), make("span", { class: "value", dir: "auto", text: words }));
}

/** How wide the heads of rows are, and how high those of columns: as their texts need, within reason. */
function headSizes({ x, y, wall, size, data }, { clientWidth: width, clientHeight: height }) {
  const narrow = width < 640;
  const rowhead = rowHeadWidth(y, wall, narrow);
  const most = height < 480 ? 2 : narrow ? 3 : HEAD.most;
  const lines = x && !x.numeric ? columnLines(x, columnWidth(data, x, size, { width: width - rowhead, height }), most) : 1;
  return { rowhead, colhead: x ? Math.max(38, HEAD.air + HEAD.line * lines) : 0 };
}

function rowHeadWidth(y, wall, narrow) {
  if (!y) return wall && !narrow ? 12 : GAP;
  const longest = Math.max(y.longest, y.short.length + 2);
  // Numbers are set bold and must not break: a chosen seed has ten digits.
  const [most, letter, margin] = y.numeric ? [narrow ? 116 : 208, narrow ? 8 : 9, narrow ? 20 : 36] : [narrow ? 92 : 208, 7.2, 28];
  return Math.min(most, Math.max(narrow ? 60 : 76, Math.ceil(longest * letter) + margin));
}

/** About: how wide columns are is known when all is laid out, which how high their heads are comes before. */
function columnWidth(data, x, size, { width, height }) {
  const widest = Math.sqrt(data.tileAspects.reduce((most, aspect) => Math.max(most, aspect), 0) || 1);
  if (size !== null) return size * widest;
  const largest = data.size > SIZES.many ? SIZES.snug[1] : Math.max(SIZES.snug[1], (height - HEAD.air - HEAD.line * HEAD.most) / 3.4);
  return Math.min(largest * widest, Math.max(SIZES.snug[0], width / x.values.length - GAP));
}

/** How many lines the names of columns need, so that all of them are whole; where they never are, as many as tell them apart. */
function columnLines(axis, width, most) {
  const room = (width - 4) / TYPE;
  const usual = Math.min(3, most);
  if (axis.longest > (room / 0.3) * most || axis.values.length > 40) return usual;
  const lines = axis.labels.reduce((highest, label) => Math.max(highest, linesOf(label, room)), 1);
  return lines > most ? usual : lines;
}

/** Which axis runs which way; one alone needs no telling. */
function cornerWords({ x, y }) {
  if (!x || !y) return [];
  return [make("span", { class: "along", text: `${x.short} →`, title: x.name }), make("span", { class: "along", text: `${y.short} ↓`, title: y.name })];
}

/** In a column `width` wide: whole where it fits the height of the row, else over as many lines, but five at most. */
function rowHead(axis, { value, height }, width) {
  const room = width - (width < 120 ? 18 : 30);
  const high = Math.max(1, Math.floor(height / HEAD.line));
  const label = axis.label(value);
  const whole = label.length <= (room / TYPE / 0.3) * high && linesOf(label, room / TYPE) <= high;
  const lines = whole ? high : Math.min(5, high);
  const words = make("span", { dir: "auto" }, ...breakable(axis.numeric ? axis.brief(value, 18) : whole ? label : fittingWords(axis, value, { width: room, lines, size: TYPE, least: 12 })));
  words.style.webkitLineClamp = lines;
  return make("div", { class: `rowhead${axis.numeric ? " number" : ""}`, title: axis.title(value) }, words);
}

/** In a head `height` high. */
function columnHead(axis, { value, width, index }, height) {
  const lines = Math.max(1, Math.floor((height - HEAD.air) / HEAD.line));
  const words = make("span", { dir: "auto" }, ...breakable(axis.numeric ? axis.brief(value, 14) : fittingWords(axis, value, { width: width - 4, lines, size: TYPE, least: 8 })));
  words.style.webkitLineClamp = lines;
  return make("div", {
    class: `colhead${axis.numeric ? " number" : ""}`, role: "columnheader", "aria-colindex": index + 1, title: axis.title(value),
  }, words);
}

/** The head of a section, which is a group: short values take what they need, long ones share what is left. */
function groupHead(axes, section, { width, line, toggle }) {
  const many = section.count ? count(section.count) : `${count(section.cells.length)} excluded`;
  const others = axes.reduce((sum, axis) => sum + textWidth(axis.short) * 12 + 24, 80 + textWidth(many) * TYPE);
  const words = sharing(axes, section.values, width - others);
  const bar = make("button", { type: "button", class: "sectionbar", "data-keep": `group ${section.id}`, "aria-expanded": String(!section.closed), onclick: toggle },
    icon("down"), ...axes.map((axis, index) => pair(axis, section.values[index], words[index])), make("span", { class: "many", text: many }));
  return make("div", { class: "section", role: "row", "aria-rowindex": line }, make("div", { class: "sectioncell", role: "gridcell", "aria-colindex": 1 }, bar));
}

/** Values in one line of so many pixels: what is short is whole, what is long has an equal part of what is left. */
function sharing(axes, values, room) {
  const needs = axes.map((axis, index) => {
    const label = axis.label(values[index]);
    return label.length * 0.3 * TYPE > room ? Infinity : textWidth(label) * TYPE;
  });
  const share = fairShare(needs, room);
  return axes.map((axis, index) => (needs[index] <= share ? axis.label(values[index]) : fittingWords(axis, values[index], { width: share, lines: 1, size: TYPE, least: 14 })));
}

/** The most that each may take, so that all go into the room and short ones leave theirs to long. */
function fairShare(needs, room) {
  let left = room;
  for (const [place, need] of needs.toSorted((one, other) => one - other).entries()) {
    const share = left / (needs.length - place);
    if (need > share) return share;
    left -= need;
  }
  return room;
}
