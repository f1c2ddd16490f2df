// What stands at the edges of the grid: the head of a row, of a column, of a group; and a coordinate in words.

/** An axis and a value on it, as the heads of groups and the lightbox say it. */
function pair(axis, value, room) {
  return make("span", { class: "pair", title: hint(`${axis.name}: ${axis.label(value)}`) },
    make("span", { class: "axis", text: axis.short }), make("span", { class: "value", dir: "auto", text: axis.brief(value, room) }));
}

/** How wide the heads of rows are, and how high those of columns: as their texts need, within reason. */
function headSizes({ x, y, wall, size }, width) {
  const narrow = width < 640;
  const words = x && !x.numeric && x.longest * 7.2 > (size ?? SIZES.usual);
  const colhead = x ? (words ? 64 : 38) : 0;
  if (!y) return { rowhead: wall && !narrow ? 12 : GAP, colhead };
  const longest = Math.max(y.longest, y.short.length + 2);
  // Numbers are set bold and must not break: a chosen seed has ten digits.
  const [most, letter, margin] = y.numeric ? [narrow ? 116 : 208, narrow ? 8 : 9, narrow ? 20 : 36] : [narrow ? 92 : 208, 7.2, 28];
  return { rowhead: Math.min(most, Math.max(narrow ? 60 : 76, Math.ceil(longest * letter) + margin)), colhead };
}

/** Which axis runs which way; one alone needs no telling. */
function cornerWords({ x, y }) {
  if (!x || !y) return [];
  return [make("span", { class: "along", text: `${x.short} →`, title: x.name }), make("span", { class: "along", text: `${y.short} ↓`, title: y.name })];
}

/** In a column `width` wide, over as many whole lines as the row is high, but five at most. */
function rowHead(axis, { value, height }, width) {
  const lines = Math.max(1, Math.min(5, Math.floor(height / 17)));
  const room = width - (width < 120 ? 18 : 30);
  const words = make("span", { dir: "auto" }, ...breakable(axis.numeric ? axis.brief(value, 18) : fittingWords(axis, value, { width: room, lines, size: 13, least: 12 })));
  words.style.webkitLineClamp = lines;
  return make("div", { class: `rowhead${axis.numeric ? " number" : ""}`, title: hint(axis.label(value)) }, words);
}

function columnHead(axis, { value, width, index }, lines) {
  const words = axis.numeric ? axis.brief(value, 14) : fittingWords(axis, value, { width: width - 4, lines, size: 13, least: 8 });
  return make("div", {
    class: `colhead${axis.numeric ? " number" : ""}`, role: "columnheader", "aria-colindex": index + 1, title: hint(`${axis.name}: ${axis.label(value)}`),
  }, make("span", { dir: "auto" }, ...breakable(words)));
}

/** The head of a section, which is a group: short values take what they need, long ones share what is left. */
function groupHead(axes, section, { width, line, toggle }) {
  const long = section.values.filter((value, index) => axes[index].label(value).length > 24).length;
  const room = Math.max(14, Math.floor((width - 110 * (axes.length - long) - 60 * long - 70) / 7.2 / Math.max(1, long)));
  const bar = make("button", { type: "button", class: "sectionbar", "data-keep": `group ${section.id}`, "aria-expanded": String(!section.closed), onclick: toggle },
    icon("down"), ...axes.map((axis, index) => pair(axis, section.values[index], room)), make("span", { class: "many", text: section.count ? count(section.count) : `${count(section.cells.length)} excluded` }));
  return make("div", { class: "section", role: "row", "aria-rowindex": line }, make("div", { class: "sectioncell", role: "gridcell", "aria-colindex": 1 }, bar));
}
