// To judge one picture by clicks and taps: five stars, favourite, reject. The keys are the same wherever pictures are.

const JUDGED = { 1: ["rating", 1], 2: ["rating", 2], 3: ["rating", 3], 4: ["rating", 4], 5: ["rating", 5], f: ["favourite", true], x: ["reject", true] };

class JudgeBar {
  /** `judge` is told the field and the value. */
  constructor(judge) {
    this.stars = [1, 2, 3, 4, 5].map((star) => make("button", { type: "button", class: "star", "aria-label": `${plural(star, "star")}`, title: `${plural(star, "star")} (${star})`, onclick: () => judge("rating", star) }, icon("star")));
    this.favourite = make("button", { type: "button", class: "heart", "aria-label": "Favourite", title: "Favourite (F)", onclick: () => judge("favourite", true) }, icon("heart"));
    this.reject = make("button", { type: "button", class: "away", "aria-label": "Reject", title: "Reject (X)", onclick: () => judge("reject", true) }, icon("close"));
    this.others = make("span", { class: "others" });
    this.root = make("div", { class: "judge", role: "group", "aria-label": "Judge this image" },
      make("span", { class: "stars" }, ...this.stars), this.favourite, this.reject, this.others);
  }

  /** `said` is what the person says of the picture, `others` a word about what all say. */
  draw(said, others = "") {
    this.stars.forEach((star, at) => {
      star.classList.toggle("on", at < (said?.rating ?? 0));
      star.setAttribute("aria-pressed", String(at + 1 === said?.rating));
    });
    this.favourite.setAttribute("aria-pressed", String(Boolean(said?.favourite)));
    this.reject.setAttribute("aria-pressed", String(Boolean(said?.reject)));
    this.others.textContent = others;
  }
}

/** What was just said, in a word. */
function saidOf(field, value) {
  if (field === "rating") return value ? `${"★".repeat(value)}${"☆".repeat(5 - value)}` : "Rating taken back";
  if (field === "favourite") return value ? "♥ Favourite" : "No favourite any more";
  return value ? "✕ Rejected" : "No reject any more";
}

/** What a key says of a picture: a field and its value, or nothing. */
const judgedBy = (event) => (event.altKey || event.ctrlKey || event.metaKey ? undefined : JUDGED[event.key.toLowerCase()]);

/** Ctrl or ⌘ and Z, where no text is typed. */
const undoes = (event) => (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "z" && !event.target.matches("input:not([type=range]), textarea");
