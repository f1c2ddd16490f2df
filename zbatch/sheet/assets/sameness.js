// What the difference of two pictures cannot show: that there is none.

/** Says that two pictures are equal, or differ less than one sees, as far as that is known; else nothing. */
function samenessWords(data, one, other) {
  if (one === other || data.equal(one, other)) return "No pixel differs";
  return data.changeBetween(one, other) === 0 ? "They differ less than one can see (change 0.000)" : "";
}
