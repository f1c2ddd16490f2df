// Keys that steer a comparison.

/** The acts of keys that begin a comparison, or another one. */
const beginnings = (compare) => ({
  c: () => compare.begin(), b: () => compare.relate("baseline"), p: () => compare.relate("previous"), n: () => compare.relate("next"),
  ...(compare.data.home ? { o: () => compare.relate(compare.data.home) } : {}),
});

/**
 * The digit of a way to compare. With Shift, as alone they rate where pictures are judged. By where it lies, as the sign
 * that Shift makes of it is another on each keyboard.
 */
function digitOf(event, bare) {
  if (bare && /^[1-4]$/.test(event.key)) return Number(event.key);
  return event.shiftKey && !/^\d$/.test(event.key) ? Number(/^Digit([1-4])$/.exec(event.code)?.[1] ?? 0) : 0;
}

/** Do what a key means for comparing; tells whether it was meant for that. */
function compareKey(compare, event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const begin = beginnings(compare);
  if (Object.hasOwn(begin, key)) {
    begin[key]();
    return true;
  }
  if (!compare.on) return false;
  const modes = Object.keys(MODES);
  const bare = !compare.data.judgeable;
  const digit = digitOf(event, bare);
  if (digit) compare.choose(modes[digit - 1]);
  else if (key === "m") compare.choose(modes[(modes.indexOf(compare.mode) + (event.shiftKey ? 3 : 1)) % 4]);
  else if (key === "s" || (bare && key === "x")) compare.swap();
  else if (key === "Escape" && !compare.home) compare.leave();
  else if (event.shiftKey && ["ArrowLeft", "ArrowRight"].includes(key)) compare.adjust(key === "ArrowLeft" ? -1 : 1);
  else if (key === " " && compare.mode === "blink" && !event.target.closest("button, input, select, summary, a")) compare.flip();
  else return false;
  return true;
}
