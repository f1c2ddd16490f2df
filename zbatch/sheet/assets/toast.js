// The short word that appears at the foot of the page, and goes by itself.

/** Says a short word on screen and to screen readers; `detail` is shown below it, cut to its beginning. */
function announce(text, { detail = "", stay = false, quiet = false, time = detail ? 2600 : 1600 } = {}) {
  const place = document.querySelector("dialog[open] .toast") ?? document.getElementById("toast");
  const lines = detail.trimEnd().split("\n");
  const shown = lines.slice(0, 3).map((line) => middle(line, 72)).join("\n") + (lines.length > 3 ? "\n…" : "");
  place.replaceChildren(make("span", { text }), detail ? make("code", { dir: "auto", "aria-hidden": "true", text: shown }) : "");
  place.classList.add("shown");
  place.classList.toggle("quiet", quiet); // where it is to be seen anyway
  clearTimeout(announce.timer);
  if (!stay) announce.timer = setTimeout(hush, time);
}

function hush() {
  clearTimeout(announce.timer);
  for (const place of document.querySelectorAll(".toast.shown")) place.classList.remove("shown");
}
