// The table of servers, its filters, and each server's own section.

import { h, known, named, prose, readable } from "./dom.js";
import { detailOf, positionOf, seriesOf, servers, view } from "./data.js";
import { badge, meter, spark } from "./drawing.js";
import { facts, growing, words } from "./blocks.js";
import { forecastChart } from "./charts.js";

/** A server's level, or -1 where nothing of it is judged. */
const levelOf = (i) => (servers.unjudged[i] ? -1 : servers.level[i]);

const COLUMNS = [
  { key: "risk", title: "Risk", value: (i) => i },
  { key: "name", title: "Server", value: (i) => servers.name[i].toLowerCase() },
  { key: "history", title: "History and forecast" },
  { key: "current", title: view.meanTitle, value: (i) => servers.current[i], highestFirst: true },
  { key: "peak", title: "Expected peak", value: (i) => servers.peak[i], highestFirst: true },
  { key: "critical", title: "Critical around", value: (i) => servers.critical[i] },
  { key: "chance", title: "Chance of critical", value: (i) => servers.chance[i], highestFirst: true },
  { key: "why", title: "Why" },
];
const EVERY = { text: "", metric: "", unit: "", region: "", criticality: "", cluster: "" };
const levelsAtFirst = [...view.levels.keys()].filter((level) => level > 0 || !view.anyRisk);
if (view.notJudged === view.fleet.servers) levelsAtFirst.push(-1); // else the table would begin empty
const filters = { ...EVERY, levels: new Set(levelsAtFirst) };
const sorting = { column: COLUMNS[0], descending: false };
/** The elements of the table and what they show: the matching servers in order, and the rows of those drawn so far. */
const list = { body: h("tbody"), foot: h("div"), status: h("p.status", { role: "status" }), headings: [], matching: [] };
const rowOf = new Map();
const metricOf = (i) => view.metrics[servers.worst[i]].label;
/** With the part of the server, where it has several: "disk /var". */
const partOf = (i) => [metricOf(i), servers.part?.[i]].filter(Boolean).join(" ");

/** How many of the fleet are at each level, the highest first; the not judged, -1, come last. */
export function levelCounts() {
  const judged = view.counts.map((number, level) => [level, level ? number : number - view.notJudged]);
  return new Map([...judged.reverse(), [-1, view.notJudged]]);
}

export function serverTable() {
  list.headings = COLUMNS.map((column) => {
    const sort = () => {
      sorting.descending = sorting.column === column ? !sorting.descending : Boolean(column.highestFirst);
      sorting.column = column;
      drawServers();
    };
    const arrow = h("span.arrow", { "aria-hidden": "true" });
    const title = column.value ? h("button", { type: "button", click: sort }, column.title, arrow) : column.title;
    return h(`th.column-${column.key}`, { scope: "col", role: "columnheader" }, title);
  });
  const table = h("table.servers", { role: "table" },
    h("caption.hidden", "Servers with their risk. The buttons in the headings sort; a server's button opens its charts."),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, list.headings)), list.body);
  drawServers();
  return [table, list.foot];
}

export function filterBar() {
  const search = h("input", {
    type: "search",
    "aria-label": "Search",
    placeholder: "Search name or reason",
    input: (event) => {
      filters.text = event.target.value;
      drawServers();
    },
  });
  const chip = ([level, number]) => {
    const press = () => {
      if (!filters.levels.delete(level)) filters.levels.add(level);
      drawServers();
    };
    const pressed = String(filters.levels.has(level));
    return h("button.chip", { type: "button", "data-level": level, "aria-pressed": pressed, click: press },
      level >= 0 && meter(level), `${level < 0 ? "not judged" : view.levels[level]} `,
      h("span.quiet", number.toLocaleString("en")));
  };
  const choice = (key, title, values) => {
    const options = [...new Set(values.filter((value) => value))].sort();
    const choose = (event) => {
      filters[key] = event.target.value;
      drawServers();
    };
    return options.length > 1 && h("select", { "aria-label": title, change: choose },
      h("option", { value: "" }, title), options.map((value) => h("option", { value }, readable(value))));
  };
  return h("div.filters", { role: "group", "aria-label": "Filter the servers" },
    search,
    h("div.chips", { role: "group", "aria-label": "Risk levels shown" },
      [...levelCounts()].filter(([, number]) => number > 0).map(chip)),
    choice("metric", "Metric", servers.name.map((_, i) => metricOf(i))),
    choice("unit", "Business unit", servers.unit),
    choice("region", "Region", servers.region),
    choice("criticality", "Criticality", servers.criticality),
    choice("cluster", "Behaviour", servers.cluster),
    list.status);
}

function matches(i) {
  const wanted = filters.text.trim().toLowerCase();
  return filters.levels.has(levelOf(i)) &&
    (!filters.metric || metricOf(i) === filters.metric) &&
    ["unit", "region", "criticality", "cluster"].every((key) => !filters[key] || servers[key][i] === filters[key]) &&
    `${servers.name[i]} ${servers.reason[i]}`.toLowerCase().includes(wanted);
}

/** By the chosen column, unknown values last, then by urgency. */
function inOrder(a, b) {
  const [left, right] = [a, b].map(sorting.column.value);
  if (known(left) !== known(right)) return known(left) ? -1 : 1;
  if (!known(left) || left === right) return a - b;
  return left < right !== sorting.descending ? -1 : 1;
}

function drawServers() {
  const direction = sorting.descending ? "descending" : "ascending";
  COLUMNS.forEach((column, i) => {
    if (column.value) list.headings[i].setAttribute("aria-sort", column === sorting.column ? direction : "none");
  });
  document.querySelectorAll(".chip").forEach(showPressed);
  list.matching = servers.name.map((_, i) => i).filter(matches).sort(inOrder);
  list.body.replaceChildren();
  list.rows = growing(list.body, list.matching, serverRow, "servers");
  list.foot.replaceChildren(list.rows.more);
  const [found, all] = [list.matching.length, view.fleet.shown].map((number) => number.toLocaleString("en"));
  list.status.textContent = list.matching.length
    ? `${found} of ${all} ${view.fleet.shown === 1 ? "server" : "servers"}`
    : "No server matches. Clear a filter to see more.";
}

function showPressed(chip) {
  chip.setAttribute("aria-pressed", String(filters.levels.has(Number(chip.dataset.level))));
}

/** A server's row and, under it, the row that its section opens in. */
function serverRow(i) {
  const name = servers.name[i];
  const about = [servers.unit[i], servers.region[i], servers.criticality[i] && `criticality\u00a0${servers.criticality[i]}`]
    .filter((text) => text);
  const [critical, ...remarks] = servers.criticalTold[i];
  const cells = {
    history: [h("span.metric", partOf(i)), spark(i)],
    current: servers.currentTold[i],
    peak: servers.peakTold[i],
    critical: [known(servers.critical[i]) ? h("b", critical) : h("span.quiet", critical),
      remarks.map((text) => h("small", text))],
    chance: servers.chanceTold[i],
    why: h("div", { title: readable(servers.reason[i]) }, prose(servers.why[i])),
  };
  const cell = ({ key, title }) =>
    cells[key] && h(`td.column-${key}`, { role: "cell", "data-label": title }, cells[key]);
  const opening = { type: "button", "aria-expanded": "false", click: () => toggle(i) };
  const button = h("button.open", opening, named(name));
  // A click anywhere on the row opens it too, unless it was on a control or marked text.
  const click = (event) => event.target.closest("a, button") || String(getSelection()) || toggle(i);
  const row = h("tr.summary", { role: "row", click },
    h("td.column-risk", { role: "cell" }, badge(levelOf(i))),
    h("th.column-name", { role: "rowheader", scope: "row" }, button, about.length > 0 && h("small", prose(about.join(" · ")))),
    COLUMNS.map(cell));
  const place = h("td", { role: "cell", colspan: COLUMNS.length });
  const detail = h("tr.detail", { role: "row", hidden: true }, place);
  rowOf.set(i, { row, detail, place, button });
  return [row, detail];
}

async function toggle(i, open = rowOf.get(i).detail.hidden) {
  const { row, detail, place, button } = rowOf.get(i);
  detail.hidden = !open;
  row.classList.toggle("is-open", open);
  button.setAttribute("aria-expanded", String(open));
  if (open && !place.firstChild) await fillServerSection(i, place);
}

/** Bring a server into view and open it, whatever is filtered and sorted. */
async function openServer(i) {
  if (!list.matching.includes(i)) {
    Object.assign(filters, EVERY, { levels: new Set(levelCounts().keys()) });
    document.querySelectorAll(".filters input, .filters select").forEach((input) => { input.value = ""; });
    drawServers();
  }
  const place = list.matching.indexOf(i);
  if (place >= list.rows.shown()) list.rows.grow(place + 1);
  await toggle(i, true);
  rowOf.get(i).row.scrollIntoView({ block: "start" });
  rowOf.get(i).button.focus({ preventScroll: true });
}

/** Open the server that the address names, if it is of this report. */
export function followLink() {
  const found = /^#server=(.*)$/.exec(location.hash);
  if (!found) return;
  try {
    const position = positionOf(decodeURIComponent(found[1]));
    if (known(position)) openServer(position);
  } catch {
    // Not a link of this report: nothing to open.
  }
}

async function fillServerSection(i, place) {
  const panel = h("section.server-section", { "aria-label": `Server ${readable(servers.name[i])}` });
  place.append(panel);
  const { facts: about, advice, metrics } = await detailOf(i), series = await seriesOf(i);
  panel.append(facts(about), ...advice.map((text) => h("p.advice", words(text))));
  if (!series) panel.append(h("p.note", "Its history and forecast are in ", h("code", "risk_flagged_forecasts.parquet"), "."));
  for (const metric of metrics) {
    panel.append(metricPanel(metric, series && series.find((one) => one.metric === metric.metric), servers.name[i]));
  }
}

/** One metric of a server: chart and figures. */
function metricPanel(metric, series, server) {
  const hasValues = series && (series.history.values.length > 0 || series.q50.values.length > 0);
  return h("article.metric-panel",
    h("h3", metric.title, " ", badge(metric.level)),
    h("p.reason", prose(metric.reason)),
    h("div.metric-body",
      h("div.drawing", hasValues && forecastChart(series, metric, server)), facts(metric.facts)));
}
