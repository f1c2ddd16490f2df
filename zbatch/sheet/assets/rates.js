// Which values of an axis win and are rated well. The same numbers as zbatch/picks/rates.py, where the reasons stand.

const Z = 1.959963984540054; // standard normal quantile of 97.5 %

/** Wilson's interval, 95 %, of so many wins (ties are half a win) out of `games`. */
function wilson(wins, games) {
  const [rate, z2] = [wins / games, Z * Z];
  const middle = (rate + z2 / (2 * games)) / (1 + z2 / games);
  const half = (Z / (1 + z2 / games)) * Math.sqrt((rate * (1 - rate)) / games + z2 / (4 * games * games));
  return [Math.max(0, Math.min(rate, middle - half)), Math.min(1, Math.max(rate, middle + half))];
}

const LEAST_GAMES = 6;
const MOST_GAMES = 2 ** 24;

/** How many more comparisons each of two needs until their intervals part, if it goes on so; `null` where none would do. */
function needed(wins, games, otherWins, otherGames) {
  if (Math.min(games, otherGames) >= LEAST_GAMES && wilson(wins, games)[0] > wilson(otherWins, otherGames)[1]) return 0;
  const [p, q] = [(wins + 1) / (games + 2), (otherWins + 1) / (otherGames + 2)];
  const apart = (many) => wilson(p * many, many)[0] > wilson(q * many, many)[1];
  if (p <= q || !apart(MOST_GAMES)) return null;
  let [low, high] = [0, 1];
  while (!apart(high)) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (apart(middle)) high = middle;
    else low = middle;
  }
  return Math.max(1, high - Math.min(games, otherGames));
}

/** The values that a pair compared: those of cells of its images that differ in its axis alone. */
function comparedValues(data, { a, b, axis: name }) {
  const axis = data.byName.get(name);
  const [one, other] = [data.jobOfKey(a), data.jobOfKey(b)];
  if (!axis || one === ABSENT || other === ABSENT) return null;
  for (const cell of data.cellsOf(one)) {
    for (const against of data.cellsOf(other)) {
      const values = [axis.column[cell], axis.column[against]];
      if (values[0] === values[1] || values.includes(ABSENT)) continue;
      if (data.axes.every((held) => held === axis || held.column[cell] === held.column[against])) return values;
    }
  }
  return null;
}

/** Every value of an axis that was compared, best first: `{ value, wins, games, rate, interval }`. */
function winRates(data, comparisons, axis) {
  const found = new Map();
  for (const pair of comparisons) {
    const values = pair.axis === axis.name ? comparedValues(data, pair) : null;
    if (values === null) continue;
    const share = { a: 1, b: 0, tie: 0.5 }[pair.winner];
    for (const [value, won] of [[values[0], share], [values[1], 1 - share]]) {
      if (!found.has(value)) found.set(value, { value, wins: 0, games: 0 });
      const own = found.get(value);
      own.wins += won;
      own.games += 1;
    }
  }
  const rates = [...found.values()].map((own) => ({ ...own, rate: own.wins / own.games, interval: wilson(own.wins, own.games) }));
  return rates.sort((one, other) => other.rate - one.rate || other.games - one.games);
}

/** Whether a cell shows a baseline under a LoRA's name: it says nothing about that LoRA. */
function isOff(data, cell) {
  const [name, scale] = ["lora.name", "lora.scale"].map((own) => data.byName.get(own));
  return Boolean(scale) && scale.values[scale.column[cell]] === 0 && name?.values[name.column[cell]] !== "none";
}

/**
 * By value of an axis, what is said of the images that show it, each image once a value: sums, and the mean rating.
 * A baseline that LoRAs share counts at its scale of 0, and for none of their names.
 */
function axisOpinions(data, opinions, axis) {
  const found = new Map();
  for (const [key, opinion] of opinions) {
    const job = data.jobOfKey(key);
    if (job === ABSENT) continue;
    const cells = axis.name === "lora.name" ? data.cellsOf(job).filter((cell) => !isOff(data, cell)) : data.cellsOf(job);
    for (const value of new Set(cells.map((cell) => axis.column[cell]))) {
      if (value === ABSENT) continue;
      if (!found.has(value)) found.set(value, { images: 0, ratings: 0, total: 0, favourites: 0, rejects: 0 });
      const own = found.get(value);
      own.images += 1;
      if (opinion.rating !== null) {
        own.ratings += 1;
        own.total += opinion.rating;
      }
      if (opinion.favourite) own.favourites += 1;
      if (opinion.reject) own.rejects += 1;
    }
  }
  for (const own of found.values()) own.mean = own.ratings ? own.total / own.ratings : null;
  return found;
}
