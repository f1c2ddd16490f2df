// What has the focus is often made anew by what it does. The focus stays with it, or goes to what stands nearest.

const FOCUS_PLACES = ["#axes", "#facts", "#panel", "#tools", "#scroller"];
const FOCUSABLE = "button, input, select, a[href], [tabindex='0']";

const stops = (place) => [...place.querySelectorAll(FOCUSABLE)];
/** On the body keys lead nowhere; the grid has it where what it was on has left the window. */
const focusLost = () => [document.body, document.getElementById("scroller")].includes(document.activeElement);
const keptName = (element) => element.id || element.dataset.keep;

/** Do something that may make anew what has the focus, and give it back: to the same, the next, or the grid. */
function keepingFocus(act, grid) {
  const focused = document.activeElement;
  const place = focused?.closest(FOCUS_PLACES.join(", "));
  const { cell } = focused ?? {};
  const at = place && place !== focused ? stops(place).indexOf(focused) : -1;
  act();
  if ((at < 0 && cell === undefined) || !focusLost()) return;
  if (cell !== undefined) grid.focus(cell);
  if (!focusLost()) return;
  const own = stops(place).filter((element) => element.checkVisibility());
  const name = keptName(focused);
  const same = own.find((element) => name && keptName(element) === name);
  (same ?? own[Math.min(Math.max(at, 0), own.length - 1)] ?? document.getElementById("scroller")).focus({ preventScroll: true });
}
