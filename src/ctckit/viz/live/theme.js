// Light or dark.

import { byId } from "./dom.js";

/** The setting of the system, until the button or the embedding page changes it. */
export function joinTheme(redraw) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  const apply = () => {
    document.documentElement.dataset.theme = chosen ?? (dark.matches ? "dark" : "light");
    redraw();
  };
  dark.addEventListener("change", apply);
  byId("theme").addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    apply();
  });
  addEventListener("message", ({ source, data }) => {
    const theme = data?.ctckitTheme;
    if (source !== parent || !["light", "dark", "auto"].includes(theme)) return;
    chosen = theme === "auto" ? null : theme;
    apply();
  });
  apply();
}
