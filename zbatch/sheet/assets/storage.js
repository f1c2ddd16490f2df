// What the browser keeps from visit to visit; it may refuse to, for a file above all.

/** Tells whether it is kept. */
function keep(name, value) {
  try {
    localStorage.setItem(name, value);
    return true;
  } catch {
    return false;
  }
}

function forget(name) {
  try {
    localStorage.removeItem(name);
  } catch {
    // then there is nothing
  }
}

function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}
