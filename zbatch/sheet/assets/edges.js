// A row that scrolls sideways says so: it fades at the side where there is more of it.

function fadeEdges(row) {
  let asked = false;
  const tell = () => {
    asked = false;
    const hidden = row.scrollWidth - row.clientWidth;
    const passed = Math.abs(row.scrollLeft);
    row.classList.toggle("morebefore", hidden > 2 && passed > 2);
    row.classList.toggle("moreafter", hidden > 2 && passed < hidden - 2);
  };
  const ask = () => {
    if (!asked) requestAnimationFrame(tell);
    asked = true;
  };
  row.addEventListener("scroll", ask, { passive: true });
  new ResizeObserver(ask).observe(row);
  new MutationObserver(ask).observe(row, { childList: true, subtree: true, characterData: true });
}
