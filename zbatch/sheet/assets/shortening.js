// How one text among its siblings is shortened: the words in which it differs from them are what must show.

const WORD = /[^\s,;_/\\.\-]+[\s,;_/\\.\-]*|[\s,;_/\\.\-]+/gu;
const NEAR = 400; // characters looked at round each place: a prompt may have a hundred thousand
const NEIGHBOURS = 24; // siblings compared with, on either side in alphabetical order

class Siblings {
  constructor(texts) {
    this.texts = texts;
    this.known = new Map();
    this.spots = new Map();
  }

  brief(index, limit) {
    const text = this.texts[index];
    if (text.length <= limit) return text;
    const id = `${index} ${limit}`;
    let words = this.known.get(id);
    if (words === undefined) this.known.set(id, (words = this.#shorten(text, index, limit)));
    return words;
  }

  #shorten(text, index, limit) {
    if (this.texts.length < 2) return middle(text, limit);
    if (!this.spots.has(index)) this.spots.set(index, this.#spots(index));
    const spots = this.spots.get(index);
    const chosen = new Set();
    const pieces = piecesOf(text, [...spots.starts, spots.end]);
    const take = (piece) => {
      if (!piece || chosen.has(piece)) return true;
      chosen.add(piece);
      if (joined(text, pieces, chosen).length <= limit) return true;
      chosen.delete(piece);
      return false;
    };
    const from = (start) => pieces.filter((piece) => piece.to > start);
    const nearest = from(spots.starts[0]).filter((piece) => piece.from < spots.end);
    if (!take(nearest[0])) return middle(text.slice(nearest[0].from, nearest[0].to).trim(), limit);
    for (const start of spots.starts.slice(1)) from(start).slice(0, 2).every(take);
    nearest.slice(0, 4).every(take);
    take(pieces[0]);
    nearest.every(take);
    fill(pieces, from(spots.end), take);
    const words = joined(text, pieces, chosen);
    return chosen.size === 1 && words.length < limit / 3 ? middle(text, limit) : words;
  }

  /** Where the text leaves each sibling that begins like it, the most alike first, and where it meets that one again. */
  #spots(index) {
    this.order ??= this.texts.map((_, own) => own).sort((one, other) => (this.texts[one] < this.texts[other] ? -1 : 1));
    this.ranks ??= this.order.reduce((ranks, own, rank) => ranks.set(own, rank), new Map());
    const text = this.texts[index];
    const rank = this.ranks.get(index);
    const starts = new Map();
    for (const way of [-1, 1]) {
      for (let step = 1; step <= NEIGHBOURS; step += 1) {
        const sibling = this.texts[this.order[rank + way * step]];
        if (sibling === undefined) break;
        const start = sameStart(text, sibling);
        const end = text.length - sameEnd(text, sibling, start);
        if (!starts.has(start) || end < starts.get(start)) starts.set(start, end);
      }
    }
    const sorted = [...starts].sort(([one], [other]) => other - one).slice(0, 4);
    return { starts: sorted.map(([start]) => Math.min(start, text.length - 1)), end: Math.max(sorted[0][0] + 1, sorted[0][1]) };
  }
}

/** The words of a text near these places and at both its ends, with where they stand. */
function piecesOf(text, places) {
  const spans = [0, ...places, text.length].map((place) => [Math.max(0, place - NEAR), Math.min(text.length, place + NEAR)]).sort((one, other) => one[0] - other[0]);
  const merged = [];
  for (const [from, to] of spans) {
    if (merged.length && from <= merged.at(-1)[1]) merged.at(-1)[1] = Math.max(to, merged.at(-1)[1]);
    else merged.push([from, to]);
  }
  return merged.flatMap(([from, to]) => [...text.slice(from, to).matchAll(WORD)].map((match) => ({ from: from + match.index, to: from + match.index + match[0].length })));
}

/** What room is left goes to the beginning, to what follows the difference and to the end, in turn. */
function fill(pieces, after, take) {
  const lists = [pieces.values(), after.values(), pieces.toReversed().values()];
  while (lists.length) {
    for (const list of [...lists]) {
      const { value, done } = list.next();
      if (done || !take(value)) lists.splice(lists.indexOf(list), 1);
    }
  }
}

/** What is left out is told once, whatever stands before it. */
const cutShort = (words) => `${words.replace(/[\s,;…]+$/u, "")}…`;

function joined(text, pieces, chosen) {
  let words = "";
  let end = 0;
  for (const piece of pieces) {
    if (!chosen.has(piece)) continue;
    if (piece.from > end) words = cutShort(words);
    words += text.slice(piece.from, piece.to);
    end = piece.to;
  }
  return end < text.length ? cutShort(words) : words;
}

function sameStart(one, other) {
  const most = Math.min(one.length, other.length);
  let length = 0;
  while (length < most && one.charCodeAt(length) === other.charCodeAt(length)) length += 1;
  return length;
}

function sameEnd(one, other, start) {
  const most = Math.min(one.length, other.length) - start;
  let length = 0;
  while (length < most && one.charCodeAt(one.length - 1 - length) === other.charCodeAt(other.length - 1 - length)) length += 1;
  return length;
}
