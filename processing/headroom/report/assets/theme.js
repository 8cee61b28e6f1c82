// Light or dark: as the system says, until a reader chooses.

import { h, remembered } from "./dom.js";

/** The button that changes between them; what was chosen is kept for the next time. */
export function themeButton() {
  const root = document.documentElement;
  const kept = remembered("headroom-theme");
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const other = () => ((root.dataset.theme || system) === "dark" ? "Light" : "Dark");
  const button = h("button", {
    type: "button",
    click: () => {
      root.dataset.theme = other().toLowerCase();
      remembered("headroom-theme", root.dataset.theme);
      button.textContent = other();
      dispatchEvent(new Event("themechange"));
    },
  }, other());
  return button;
}
