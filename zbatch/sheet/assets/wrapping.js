// Whether a text fits into so many lines, by how wide letters usually are: nothing is measured in the page.

const WIDTHS = [[/[ijl.,:;'|!]/, 0.31], [/[frt()[\]/\s-]/, 0.4], [/[mwMW@\u2026]/, 0.95], [/[A-Z0-9]/, 0.68], [/[\u2e80-\uffdc]/, 1.05]];
const usual = new Map();

/** In parts of the letters' size, of a bold one: a lighter face is narrower. */
function letterWidth(letter) {
  let width = usual.get(letter);
  if (width === undefined) usual.set(letter, (width = WIDTHS.find(([letters]) => letters.test(letter))?.[1] ?? 0.61));
  return width;
}

const textWidth = (text) => [...text].reduce((sum, letter) => sum + letterWidth(letter), 0);

/** Words go to the next line whole; one that is longer than a line is broken. */
function linesOf(text, width) {
  let lines = 1;
  let used = 0;
  for (const word of text.match(/[^\s\u2026_/-]*[\s\u2026_/-]*/gu) ?? []) {
    const own = textWidth(word.trimEnd());
    if (used > 0 && used + own > width) {
      lines += 1;
      used = 0;
    }
    if (own > width) {
      lines += Math.ceil(own / width) - 1;
      used = own % width;
    } else used += textWidth(word);
  }
  return lines;
}

/** A value's words for a head, `size` high letters in so many lines: shortened here, so that the page need not cut them again. */
function fittingWords(axis, value, { width, lines, size, least }) {
  const room = width / size;
  for (let limit = Math.floor((room / 0.5) * lines); limit > least; limit = Math.floor(limit * 0.9)) {
    const words = axis.brief(value, limit);
    if (linesOf(words, room) <= lines) return words;
    limit = Math.min(limit, [...words].length);
  }
  return axis.brief(value, least);
}
