// Makes elements. Text only ever goes in as text: there is no way here to hand markup over.

const SVG_SPACE = "http://www.w3.org/2000/svg";

/** `on…` attributes must be functions; `text` and children that are texts become text; null, undefined and false are left out. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = visible(value);
    else element.setAttribute(name, value === true ? "" : visible(value));
  }
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : visible(child));
  }
  return element;
}

/** Strokes on a 16 by 16 field. */
const ICONS = {
  star: "m8 1.900 1.900 3.900 4.300.6-3.100 3 .7 4.300L8 11.700l-3.800 2 .7-4.300-3.100-3 4.300-.6z",
  heart: "M8 13.500C3 10 1.800 7.600 2.200 5.600 2.700 3.300 5.700 2.600 8 5.200c2.300-2.600 5.300-1.900 5.800.4.4 2-.8 4.400-5.800 7.900Z",
  left: "M10 3 5 8l5 5", right: "m6 3 5 5-5 5", up: "m3 10 5-5 5 5", down: "m3 6 5 5 5-5",
  close: "m4 4 8 8M12 4l-8 8", swap: "M2 5.5h11M10 2.5l3 3-3 3M14 10.5H3M6 7.5l-3 3 3 3",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Zm3.6-1.4L14 14", help: "M6 6a2 2 0 1 1 2.9 1.8c-.6.3-.9.8-.9 1.4v.3M8 12.3v.2",
  theme: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Zm0 0v12m0-9h3.8M8 8h5.8M8 11h3.8", filter: "M2 4h12M4.5 8h7M7 12h2",
  copy: "M6 6h7v7H6zM10 6V3H3v7h3", open: "M9 3h4v4M13 3 7.5 8.5M11 9.5V13H3V5h3.5", info: "M8 7v4M8 4.8v.2M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12Z",
  split: "M2.5 3.5h11v9h-11zM8 1.5v13", beside: "M2 4h5v8H2zM9 4h5v8H9z", overlap: "M6 12A4 4 0 1 0 6 4a4 4 0 0 0 0 8Zm4 0a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8ZM8 9.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6Z", pin: "M8 10v4M4.5 10h7L10 7.2V2.5H6v4.7z",
  wall: "M2.5 3h5v4h-5zM9 3h4.500v4H9zM2.500 9h3.500v4H2.500zM7.500 9h6v4h-6z", table: "M2.5 2.5h11v11h-11zM2.500 6h11M6 2.500v11",
  fold: "M3 8h10M8 1.500v4M6 4l2 2 2-2M8 14.500v-4M6 12l2-2 2 2", unfold: "M3 8h10M8 5.500v-4M6 3l2-2 2 2M8 10.500v4M6 13l2 2 2-2", ascending: "M8 13V3M4 7l4-4 4 4", descending: "M8 3v10M4 9l4 4 4-4", done: "m3.5 8.5 3 3 6-7", failed: "m4 4 8 8M12 4l-8 8", rejected: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM4 4l8 8",
  unknown: "M6 6a2 2 0 1 1 2.9 1.8c-.6.3-.9.8-.9 1.4v.3M8 12.3v.2", pending: "M8 4.5V8l2.3 1.5M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12Z",
  submitting: "M8 12V4M5 7l3-3 3 3", submitted: "M3.5 8v.2M8 8v.2M12.5 8v.2", excluded: "M4 8h8", missing: "M2.5 3.5h11v9h-11zM3 12l3.5-4 2.5 2.5L10.5 9l3 3",
};

/** An element of a drawing. */
function drawn(tag, attributes) {
  const element = document.createElementNS(SVG_SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function icon(name) {
  const svg = drawn("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" });
  const path = drawn("path", { d: ICONS[name] ?? ICONS.info });
  svg.append(path);
  return svg;
}

/** A button with an icon, words, or both. `label` is what a screen reader says and a pointer sees. */
function button({ label, glyph, words, kind = "", act, ...rest }) {
  const title = label && label !== words ? label : null;
  return make("button", { type: "button", class: `button ${kind}`, title, "aria-label": title, onclick: act, ...rest },
    glyph ? icon(glyph) : null, words ? make("span", { text: words }) : null);
}

/** A path inside the run directory as a relative address, whatever characters a file name holds. */
function address(path) {
  return "./" + path.split("/").map(encodeURIComponent).join("/");
}

/** A path or a name breaks where its parts do, not in the middle of a word. */
const breakable = (text) => text.split(/(?<=[/_\-.@])(?=[^\s/_\-.@])/u).flatMap((part, index) => (index ? [make("wbr"), part] : [part]));

/** An element with room for a number, whatever smaller one it shows. */
function wide(element, number) {
  element.style.minWidth = `${count(number ?? 0).length}ch`;
  return element;
}
