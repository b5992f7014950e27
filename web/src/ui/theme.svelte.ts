// Light or dark: the system's choice until someone chooses here; theme.js repeats the choice before the first paint.
const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

export const theme: { dark: boolean } = $state({ dark: root.dataset.theme ? root.dataset.theme === "dark" : system.matches });

system.addEventListener("change", (event) => {
  if (!root.dataset.theme) theme.dark = event.matches;
});

export function setDark(dark: boolean): void {
  theme.dark = dark;
  root.dataset.theme = dark ? "dark" : "light";
  try {
    localStorage.setItem("rostra.theme", root.dataset.theme);
  } catch {
    // Storage may be refused; the choice then lasts for this page only.
  }
}
