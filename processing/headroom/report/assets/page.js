// The frame: navigation, theme, and the sections in the order a capacity manager asks.

import { h } from "./dom.js";
import { view } from "./data.js";
import { lay } from "./blocks.js";
import { followColours } from "./charts.js";
import { themeButton } from "./theme.js";
import { filterBar, followLink, serverTable } from "./servers.js";
import { groups, heat, top } from "./fleet.js";

const DRAWN = { filters: filterBar, servers: serverTable, heat, groups };

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
  h("footer", h("p", "Written by Headroom. This file is self-contained and makes no network requests.")));
addEventListener("hashchange", followLink);
followColours();
followLink();
