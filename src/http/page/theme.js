/** The choice between light and dark colours; by default the system's. */

const KEY = "rekey-theme";
const painters = [];

/** Calls `paint` whenever the colours have changed. */
export function onColours(paint) {
  painters.push(paint);
}

/** Handles the buttons. */
export function setUpThemes() {
  const buttons = [...document.querySelectorAll("[data-theme-choice]")];
  const choose = (theme) => {
    document.documentElement.dataset.theme = theme;
    for (const one of buttons) one.setAttribute("aria-pressed", one.dataset.themeChoice === theme);
    for (const paint of painters) paint();
  };
  for (const one of buttons) {
    one.addEventListener("click", () => {
      remember(one.dataset.themeChoice);
      choose(one.dataset.themeChoice);
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => choose(remembered()));
  choose(remembered());
}

// A browser may forbid storage.
function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch { /* The choice holds until the page is left. */ }
}

function remembered() {
  try {
    const theme = localStorage.getItem(KEY);
    return ["light", "dark"].includes(theme) ? theme : "system";
  } catch {
    return document.documentElement.dataset.theme ?? "system";
  }
}

/** A colour of the page as a canvas takes it. @param name of a custom property. */
export function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
