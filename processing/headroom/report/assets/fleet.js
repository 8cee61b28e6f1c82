// The fleet as a whole: its bar at the top, its levels over time, and its groups.

import { h, known } from "./dom.js";
import { servers, view } from "./data.js";
import { badge, bars, breachBars } from "./drawing.js";
import { facts, growing, lay, scrolling, serverLink, words } from "./blocks.js";
import { clusterMap } from "./charts.js";
import { levelCounts } from "./servers.js";

/** The head of the page: what needs a decision. */
export function top() {
  const { kicker, headline, numbers, changes } = view.top;
  const number = ([value, text, id]) => h("li", h("a", { href: `#${id}` }, h("strong", value), h("span", text)));
  return h("header.top", { id: "top" },
    h("div.lead",
      h("div", h("p.kicker", words(kicker)), h("h1", headline), fleetBar()),
      view.breaches.counts.some((some) => some > 0) && h("figure", h("figcaption", view.breaches.title), breachBars())),
    h("ul.facts", numbers.map(number)),
    lay(changes));
}

/** The fleet as one bar, split by level. */
function fleetBar() {
  const levels = [...levelCounts()].filter(([, number]) => number > 0);
  const part = ([level, number]) => {
    const box = h(level < 0 ? "span.not-judged" : `span.fill.level-${view.levels[level]}`);
    box.style.flexGrow = Math.max(number / view.fleet.servers, 0.012);
    return box;
  };
  return h("div.fleet",
    h("div.fleet-bar", { "aria-hidden": "true" }, levels.map(part)),
    h("ul.fleet-key", levels.map(([level, number]) => h("li", badge(level), " ", number.toLocaleString("en")))));
}

/** The worst level of the fleet and of each server in each stretch of time. */
export function heat() {
  const { past, labels, moments, rows, totals, told, title } = view.overTime;
  const inTotal = (levels) => levels.slice(1).reduce((sum, number) => sum + number, 0);
  const highest = Math.max(...totals.map(inTotal), 1);
  const mark = (column) => (past > 0 && column === past ? ".now" : "");
  const tower = (levels, column) => {
    const parts = levels.map((number, level) => {
      const part = level > 0 && number > 0 && h(`span.fill.level-${view.levels[level]}`);
      if (part) part.style.height = `${(number / highest) * 100}%`;
      return part;
    });
    return h(`td${mark(column)}`, { title: told[column] },
      h("div.tower-box", h("span.tower-number", inTotal(levels).toLocaleString("en")),
        h("div.tower", { "aria-hidden": "true" }, parts)));
  };
  const cell = (code, column) => {
    const level = code === "." ? null : view.levels[code];
    const text = level || "no value";
    return h(`td.cell${level ? `.level-${level}` : ""}${mark(column)}`, { title: `${moments[column]}: ${text}` },
      h("span.hidden", text), Number(code) > 0 && h("span", { "aria-hidden": "true" }, level[0].toUpperCase()));
  };
  const heading = (text, column) =>
    h(`th${mark(column)}`, { scope: "col" }, h(column % 2 && labels.length > 12 ? "span.hidden" : "span", text));
  const body = h("tbody");
  const order = servers.name.map((_, i) => i).filter((i) => !view.anyRisk || servers.level[i] > 0);
  const row = (i) => [h("tr", h("th", { scope: "row" }, serverLink(servers.name[i])), [...rows[i]].map(cell))];
  const shown = growing(body, order, row, "servers");
  return [
    scrolling("Risk by server and time",
      h("table.heat", h("caption.hidden", "Risk by server and time"),
        h("thead",
          h("tr.towers", h("th", { scope: "row" }, title), totals.map(tower)),
          h("tr", h("th", { scope: "col" }, h("span.hidden", "Server")), labels.map(heading))),
        body)),
    shown.more,
    h("p.key", [...view.levels.keys()].reverse().map(badge)),
  ];
}

/** The map of servers that behave alike, and the list of its groups. */
export function groups() {
  const highest = Math.max(...view.profiles.flatMap(({ week }) => week).filter(known));
  const group = ({ name, size, about, medians, week, ...bar }, rank) => h(`li.edge-${rank % 8}`,
    h("div", h("h3", words(name), " ", h("span.soft", size)), h("p", words(about)), lay(medians)),
    week.some(known) && bars({ ...bar, values: week, marked: true }, highest));
  return h("div.groups",
    view.profiles.length > 1 && h("figure.map-box", clusterMap()), h("ul.profiles", view.profiles.map(group)));
}
