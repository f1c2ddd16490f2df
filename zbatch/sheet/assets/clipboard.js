// Copying a text, also where a browser lets no page copy.

/** `what` was copied is said, with how it begins; where the browser refuses, the text lies there to be copied by hand. */
async function copyText(text, what = "", note = "") {
  const copied = (await navigator.clipboard?.writeText(text).then(() => true, () => false)) || copyByCommand(text);
  if (copied) announce(["Copied", what, note].filter(Boolean).join(" "), { detail: text });
  else showByHand(text, what);
}

/** The older way, for pages that have no clipboard of their own: it copies what is selected. */
function copyByCommand(text) {
  const focused = document.activeElement;
  const area = make("textarea", { class: "offscreen" });
  area.value = text;
  topmost().append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return copied;
}

function showByHand(text, what) {
  const area = make("textarea", { readonly: true, rows: 8, spellcheck: "false", "aria-label": what || "Text" });
  area.value = text;
  const dialog = make("dialog", { class: "byhand", "aria-label": "Copy by hand", onclose: () => dialog.remove() },
    make("p", { text: "This browser lets no page copy. The text is selected: copy it with Ctrl+C or ⌘C." }), area,
    button({ words: "Close", act: () => dialog.close() }));
  topmost().append(dialog);
  dialog.showModal();
  area.select();
}

const topmost = () => [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
