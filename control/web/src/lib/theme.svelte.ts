// Light or dark: as the system has it, or as the reader chose.
export type Theme = "system" | "light" | "dark";
const KEY = "csp-theme";

let changes = $state(0);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (changes += 1));
/** How often the colours have changed: for what is drawn in colours that were read off the page. */
export const colours = {
  get changes() {
    return changes;
  },
};

export function theme(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system";
  }
}

export function choose(theme: Theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  changes += 1;
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // A browser that keeps nothing still shows it.
  }
}
