// The frame: navigation, theme, and the sections in the order a capacity manager asks.

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
    },
  }, other());
  return button;
}

const SECTIONS = [
  ["risk", "Servers", riskSection],
  ["unjudged", "Not judged", unjudgedSection],
  ["fleet", "Over time", fleetSection],
  ["rhythm", "Rhythm", rhythmSection],
  ["groups", "Groups", groupsSection],
  ["actions", "Recommendations", actionsSection],
  ["data", "Data", dataSection],
  ["forecast", "Forecasts", forecastSection],
  ["run", "Run", runSection],
].map(([id, words, draw]) => [id, words, draw()]).filter(([, , part]) => part);

document.getElementById("page").append(
  h("a.skip", { href: "#risk" }, "Skip to the servers"),
  h("nav.bar", { "aria-label": "Sections" },
    h("a.brand", { href: "#top" }, "Headroom"),
    h("div.links", SECTIONS.map(([id, words]) => h("a", { href: `#${id}` }, words))),
    h("div.buttons", h("button", { type: "button", click: () => print() }, "Print"), themeButton())),
  h("main", top(), SECTIONS.map(([, , part]) => part)),
  h("footer", h("p", "Written by Headroom. This file is complete in itself and asks nothing of the network.")));
addEventListener("hashchange", followLink);
followLink();
