// The frame: navigation, theme, and the sections in the order a capacity manager asks.

import { h, remembered } from "./dom.js";
import { view } from "./data.js";
import { lay } from "./blocks.js";
import { followColours } from "./charts.js";
import { filterBar, followLink, serverTable } from "./servers.js";
import { groups, heat, top } from "./fleet.js";

const DRAWN = { filters: filterBar, servers: serverTable, heat, groups };

function themeButton() {
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

function section({ id, title, content }) {
  return h("section.part", { id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title), lay(content, DRAWN));
}

document.getElementById("page").append(
  h("a.skip", { href: "#risk" }, "Skip to the servers"),
  h("nav.bar", { "aria-label": "Sections" },
    h("a.brand", { href: "#top" }, "Headroom"),
    h("div.links", view.sections.map(({ id, nav }) => h("a", { href: `#${id}` }, nav))),
    h("div.buttons", h("button", { type: "button", click: () => print() }, "Print"), themeButton())),
  h("main", top(), view.sections.map(section)),
  h("footer", h("p", "Written by Headroom. This file is complete in itself and asks nothing of the network.")));
addEventListener("hashchange", followLink);
followColours();
followLink();
