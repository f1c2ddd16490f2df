// The help: every key, and what the search box understands.

const KEYS = [
  ["Grid", [["← → ↑ ↓", "move; also Page ↑ ↓"], ["Home End", "first, last of the row; with Ctrl, of all"], ["Enter", "open"], ["[ ]", "through a stack"], ["+ −", "size"], ["S", "swap columns and rows"], ["W", "grid or wall"], ["R", "turn the wall's order round"], ["G", "fold or unfold all groups"], ["V", "values to show and hide"], ["/", "search"], ["T", "light or dark"]]],
  ["Image", [["← →", "along the columns"], ["↑ ↓", "along the rows"], ["[ ]", "along the next axis, or through a stack"], ["+ − 0", "closer, farther, whole; also the wheel"], ["I", "details"], ["Y", "copy: then P R U M Z L"], ["Esc", "close"]]],
  ["Judge", [["1 2 3 4 5", "rate; the same again takes it back"], ["F", "favourite"], ["X", "reject"], ["Space", "to the next unjudged; with Shift, the one before"], ["Ctrl Z", "undo; ⌘ Z on a Mac"], ["J", "picks: how values are judged, blind mode, files"], ["← ↓ →", "blind: the left one, a tie, the right one; + − 0 and the wheel as in an image"]]],
  ["Compare", [["C", "pin this one, three at most; again: let it go; pins wait after Esc"], ["a click", "on a pin: compare with that one"], ["B", "with the baseline"], ["P N", "with the previous, the next on the strip"], ["Shift 1 2 3 4", "slider, side by side, blink, difference; M: the next of them"], ["Shift ← →", "move the slider; rate; gain"], ["Space", "switch, in blink"], ["S", "swap with the reference, the chosen one of several"], ["Esc", "end comparing"]]],
  ["Search", [["red fox", "both words, anywhere"], ["\"red fox\"", "the phrase"], ["seed:1000", "a value of an axis"], ["scale>0.6", "a number; also >= < <="], ["scale:0.2..0.8", "from, to; either may be left out"], ["state:failed", "a state"], ["nsfw:true", "flagged by the server; also false, unknown"], ["rating>3", "also change>0.2"], ["is:favourite", "is:reject, is:judged, is:unjudged"], ["-ink", "without"], ["Enter ↓", "to the first hit"], ["Esc", "empties the search, then leaves it"]]],
];

const TOUCH = [["two fingers", "size; in an image, closer"], ["long press", "what an image is; a value alone"], ["swipe", "from image to image"]];

function fillHelp(root, about) {
  const keys = FINGERS.matches ? [["Fingers", TOUCH], ...KEYS] : KEYS;
  const facts = about.facts ?? [
    ["endpoint", about.endpoint === "preview" ? "preview, the built-in one" : about.endpoint], ["model", about.model], ["manifest", about.manifest],
    [about.endpoint_kind === "preview" ? "would have cost" : "cost", about.cost === null ? null : `$${about.cost}`], ["page written", timeText(Date.parse(about.written_at))], ["zbatch", about.version],
  ];
  root.append(
    make("div", { class: "helphead" }, make("h2", { text: "Keys and help" }), button({ label: "Close (Esc)", glyph: "close", act: () => root.close(), kind: "square quiet" })),
    make("div", { class: "helpcolumns" }, ...keys.map(([title, keys]) => make("section", {}, make("h3", { text: title }),
      make("dl", {}, ...keys.flatMap(([key, words]) => [make("dt", {}, make("kbd", { text: key })), make("dd", { text: words })]))))),
    make("section", { class: "run" }, make("h3", { text: about.facts ? "These runs" : "This run" }), table(facts)));
  root.addEventListener("click", (event) => { if (event.target === root) root.close(); });
}
