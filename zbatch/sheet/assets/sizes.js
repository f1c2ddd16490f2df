// How large pictures are drawn, as the side of a square one in pixels; other shapes get the same area.

// Where a thumbnail (`THUMB_SIDE`) is drawn no larger than half its sides, browsers decode a quarter of it: that
// much less time and memory.
const SIZES = { least: 56, most: 480, usual: 156, snug: [60, 156], many: 2000 };

/** The size at which all columns fit into the window, within reason; `along` has a 1 for each value that has a column. */
function fittingSize(data, view, many, along, room) {
  if (!view.x) return SIZES.usual;
  const columns = along.reduce((sum, one) => sum + one, 0);
  const [least, most] = SIZES.snug;
  const widest = data.tileAspects.reduce((most, aspect) => Math.max(most, Math.sqrt(aspect)), 0) || 1;
  const wide = Math.floor((room.width - GAP) / Math.max(1, columns)) - GAP;
  const largest = many > SIZES.many ? most : Math.max(most, Math.floor(room.height / 3.4));
  return Math.min(largest, Math.max(least, Math.floor(wide / widest)));
}

/** Smaller than this and the window would hold more pictures than a page stays quick with. */
function leastSize(room) {
  return Math.ceil(Math.sqrt((room.width * room.height) / 85)) - GAP;
}
