// Which known name somebody meant: the nearest one by edits, if it is near at all.

function nearestName(word, names) {
  const most = Math.max(1, Math.floor(word.length / 2));
  const near = names.map((name) => [name.startsWith(word) ? 0.5 : edits(word, name.toLowerCase(), most), name]).filter(([far]) => far <= most);
  return near.sort(([one], [other]) => one - other)[0]?.[1] ?? null;
}

/** Letters to change, add or take away, to make one word of the other; beyond `most` any larger number. */
function edits(one, other, most) {
  if (Math.abs(one.length - other.length) > most) return most + 1;
  let above = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let row = 1; row <= one.length; row += 1) {
    const line = [row];
    for (let at = 1; at <= other.length; at += 1) {
      line.push(Math.min(line[at - 1] + 1, above[at] + 1, above[at - 1] + (one[row - 1] === other[at - 1] ? 0 : 1)));
    }
    above = line;
  }
  return above.at(-1);
}
