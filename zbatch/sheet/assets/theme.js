// The theme that was chosen here before, read while nothing is painted yet and the data is still on its way.

(() => {
  try {
    const theme = localStorage.getItem("zbatch.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // a browser may refuse to remember anything for a file: then it is the system's theme
  }
})();
