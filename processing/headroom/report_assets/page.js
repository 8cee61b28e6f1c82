// The page, section by section, in the order a capacity manager asks.

const AT_ONCE = 25;
const ACTIONS = {
  grow: ["Grow", "give more capacity before it runs out"],
  stop: ["Stop", "idle, nothing seems to use them"],
  shrink: ["Shrink", "a smaller size keeps enough headroom"],
  schedule: ["Schedule", "switch off when nobody uses them"],
  consolidate: ["Consolidate", "move together onto fewer servers"],
};
const servers = view.servers;
const positionOf = new Map(servers.name.map((name, i) => [name, i]));
const risksOf = servers.name.map(() => []);
const risks = view.risks.server.map((server, i) => {
  const risk = {};
  for (const [key, values] of Object.entries(view.risks)) risk[key] = values[i];
  risksOf[server].push(risk);
  return risk;
});
const worstOf = servers.worst.map((metric, i) => risksOf[i].find((risk) => risk.metric === metric) || risksOf[i][0] || {});
const atRisk = view.counts.slice(1).reduce((sum, number) => sum + number, 0);

function section(id, title, ...content) {
  return h("section", { id, class: "part", "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title), content);
}

function linkTo(name) {
  return "#server=" + encodeURIComponent(name);
}

/** A server's name as a link to its section, or as text where the report does not hold it. */
function serverLink(name) {
  return positionOf.has(name)
    ? h("a", { class: "server", title: readable(name), href: linkTo(name), click: (event) => event.currentTarget.hash === location.hash && followLink() }, named(name))
    : h("span", { class: "server", title: readable(name) }, named(name));
}

function serverList(names, total) {
  const shown = names.slice(0, 8);
  return [
    shown.map((name, i) => [i ? ", " : "", serverLink(name)]),
    total > shown.length ? ` and ${count(total - shown.length)} more` : "",
  ];
}

/** A table with a heading row; numbers are right-aligned. Columns are [title, cell(row), isNumber]. */
function table(caption, rows, columns) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", { class: "plain" }, h("caption", {}, caption),
      h("thead", {}, h("tr", {}, columns.map(([title, , number]) => h("th", { scope: "col", class: number && "number" }, title)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map(([, cell, number]) => h("td", { class: number && "number" }, cell(row))))))));
}

/** Rows a page at a time: a list that grows by a button. */
function growing(container, items, draw, words, step = AT_ONCE) {
  let shown = 0;
  const more = h("button", { type: "button", class: "more", click: () => grow() });
  const grow = (upTo) => {
    const next = items.slice(shown, Math.max(shown + step, upTo || 0));
    container.append(...next.flatMap(draw));
    shown += next.length;
    more.hidden = shown >= items.length;
    const left = items.length - shown;
    more.textContent = left > step ? `Show ${step} more of ${count(left)} ${words}` : `Show ${count(left)} more`;
  };
  grow();
  return { more, grow, shown: () => shown };
}

// ---- The top: what needs a decision ----

function top() {
  const savings = view.savings || {}, model = (view.model || {}).headline || {};
  const gain = model.improvement_percent;
  const above = new Set(risks.filter((risk) => risk.now).map((risk) => risk.server));
  const coming = risks.filter((risk) => known(risk.criticalAt) && !above.has(risk.server)).map((risk) => risk.criticalAt);
  const next = coming.length ? Math.min(...coming) : null;
  const fact = (value, words, href) => h("li", {}, h("a", { href }, h("strong", {}, value), h("span", {}, words)));
  return h("header", { class: "top", id: "top" },
    h("div", { class: "lead" },
      h("div", {},
        h("p", { class: "kicker" }, view.dataset ? [prose(view.dataset), " · "] : "", `${view.dataset ? "c" : "C"}apacity risk as of ${day(view.asOf, true)}`),
        h("h1", {}, view.headline + "."),
        fleetBar()),
      view.breaches.some((number) => number) && h("figure", {}, h("figcaption", {}, `Servers that turn critical next, by ${view.overTime.days === 1 ? "day" : view.overTime.days === 7 ? "week" : "four weeks"}`), breachBars())),
    h("ul", { class: "facts" },
      fact(count(atRisk), `${atRisk === 1 ? "server" : "servers"} at risk of ${count(view.fleet.servers)}`, "#risk"),
      above.size > 0 && fact(count(above.size), "above critical now", "#risk"),
      next !== null && fact(when(momentOf(next)), `next critical, in ${span(next)}`, "#risk"),
      fact(money(savings.monthly), "a month could be saved", "#actions"),
      fact(count(view.recommendations.total), view.recommendations.total === 1 ? "recommendation" : "recommendations", "#actions"),
      known(gain) && fact(`${Math.abs(Math.round(gain))} %`, gain >= 0 ? "less error than naive" : "more error than naive", "#forecast")),
    changes());
}

/** The fleet as one bar, split by level. */
function fleetBar() {
  const levels = view.counts.map((number, level) => [level, number]).filter(([, number]) => number).reverse();
  return h("div", { class: "fleet" },
    h("div", { class: "fleet-bar", "aria-hidden": "true" }, levels.map(([level, number]) => {
      const part = h("span", { class: `fill level-${view.levels[level]}` });
      part.style.flexGrow = Math.max(number / view.fleet.servers, 0.012);
      return part;
    })),
    h("ul", { class: "fleet-key" }, levels.map(([level, number]) => h("li", {}, badge(level), " ", count(number)))));
}

function changes() {
  const since = view.changes;
  if (!since) return h("p", { class: "since" }, "The first run: there is nothing yet to compare with.");
  const kinds = [["new_at_risk", "New at risk"], ["worse", "Worse"], ["better", "Better"], ["resolved", "Resolved"]]
    .filter(([key]) => since[key] && since[key].total);
  return h("div", { class: "since" }, h("strong", {}, "Since the last run"),
    kinds.length ? h("dl", {}, kinds.map(([key, words]) => h("div", { class: `change-${key}` },
      h("dt", {}, `${words} `, h("b", {}, count(since[key].total))), h("dd", {}, serverList(since[key].names, since[key].total)))))
      : h("span", {}, " no server's risk has changed."));
}

// ---- Servers at risk ----

const filters = { text: "", levels: new Set(), metric: "", unit: "", region: "", criticality: "", cluster: "" };
const sorting = { by: "risk", descending: false };
const COLUMNS = [
  ["risk", "Risk", (i) => i],
  ["name", "Server", (i) => servers.name[i].toLowerCase()],
  [null, "History and forecast"],
  ["current", "Now", (i) => worstOf[i].current],
  ["peak", "Peak", (i) => worstOf[i].peak],
  ["critical", "Critical", (i) => (worstOf[i].now ? 0 : worstOf[i].criticalAt)],
  ["chance", "Chance", (i) => worstOf[i].chanceCritical],
  [null, "Why"],
];
let serverRows = null;
const opened = new Map();

function riskSection() {
  if (atRisk) view.levels.forEach((_, level) => level && filters.levels.add(level));
  else view.levels.forEach((_, level) => filters.levels.add(level));
  const body = h("tbody", {}), status = h("p", { class: "status", role: "status" }), foot = h("div", {});
  const headings = COLUMNS.map(([key, title]) => h("th", { scope: "col", role: "columnheader", class: `column-${key || title.split(" ")[0].toLowerCase()}` },
    key ? h("button", { type: "button", click: () => sortBy(key) }, title, h("span", { class: "arrow", "aria-hidden": "true" })) : title));

  const draw = () => {
    const wanted = filters.text.trim().toLowerCase();
    const matching = servers.name.map((_, i) => i).filter((i) =>
      filters.levels.has(servers.level[i]) &&
      (!filters.metric || view.metrics[servers.worst[i]] === filters.metric) &&
      ["unit", "region", "criticality", "cluster"].every((key) => !filters[key] || servers[key][i] === filters[key]) &&
      (!wanted || `${servers.name[i]} ${servers.reason[i]}`.toLowerCase().includes(wanted)));
    const value = COLUMNS.find(([key]) => key === sorting.by)[2];
    const order = (a, b) => {
      const [left, right] = [value(a), value(b)];
      if (!known(left) || !known(right)) return known(left) ? -1 : known(right) ? 1 : a - b; // unknown always last
      return (left < right ? -1 : left > right ? 1 : 0) * (sorting.descending ? -1 : 1) || a - b;
    };
    matching.sort(order);
    COLUMNS.forEach(([key], i) => key && headings[i].setAttribute("aria-sort", key !== sorting.by ? "none" : sorting.descending ? "descending" : "ascending"));
    body.replaceChildren();
    const rows = growing(body, matching, serverRow, "servers");
    foot.replaceChildren(rows.more);
    status.textContent = matching.length ? `${count(matching.length)} of ${plural(view.fleet.shown, "server")}` : "No server matches. Clear a filter to see more.";
    serverRows = { matching, rows };
  };
  const sortBy = (key) => {
    sorting.descending = sorting.by === key ? !sorting.descending : ["current", "peak", "chance"].includes(key);
    sorting.by = key;
    draw();
  };
  serverTable.draw = draw;
  const left = view.fleet.servers - view.fleet.shown;
  const part = section("risk", atRisk ? "Servers at risk" : "Servers",
    left > 0 && h("p", { class: "note" }, `The ${count(view.fleet.shown)} servers that matter most are here: those at risk, and those that a change or a recommendation names. The other ${count(left)} are in `, h("code", {}, "risk_flagged_forecasts.parquet"), " and ", h("code", {}, "server_clusters.csv"), "."),
    filterBar(draw, status),
    h("table", { class: "servers", role: "table" },
      h("caption", { class: "hidden" }, "Servers with their risk. The buttons in the headings sort; a server's button opens its charts."),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, headings)), body),
    foot);
  draw();
  return part;
}
const serverTable = {};

function filterBar(draw, status) {
  const search = h("input", { type: "search", id: "search", "aria-label": "Search", placeholder: "Search name or reason", input: (event) => { filters.text = event.target.value; draw(); } });
  const chips = view.levels.map((name, level) => [name, level]).reverse().map(([name, level]) =>
    h("button", {
      type: "button", class: "chip", "aria-pressed": String(filters.levels.has(level)), "data-level": level,
      click: (event) => {
        filters.levels.has(level) ? filters.levels.delete(level) : filters.levels.add(level);
        event.currentTarget.setAttribute("aria-pressed", String(filters.levels.has(level)));
        draw();
      },
    }, meter(level), `${name} `, h("span", { class: "quiet" }, count(view.counts[level]))));
  const choice = (key, words, values) => {
    const values_known = [...new Set(values.filter((value) => value))].sort();
    if (values_known.length < 2) return null;
    return h("select", { "aria-label": words, "data-filter": key, change: (event) => { filters[key] = event.target.value; draw(); } },
      h("option", { value: "" }, `${words}: all`), values_known.map((value) => h("option", { value }, readable(label(value)))));
  };
  return h("div", { class: "filters", role: "group", "aria-label": "Filter the servers" },
    search,
    h("div", { class: "chips", role: "group", "aria-label": "Risk levels shown" }, chips),
    choice("metric", "Metric", servers.worst.map((metric) => view.metrics[metric])),
    choice("unit", "Business unit", servers.unit), choice("region", "Region", servers.region),
    choice("criticality", "Criticality", servers.criticality), choice("cluster", "Behaviour", servers.cluster), status);
}

/** A server's row and, under it, the row that its section opens in. */
function serverRow(i) {
  const risk = worstOf[i], unit = view.units[risk.metric];
  const about = [servers.unit[i], servers.region[i], servers.criticality[i] && `criticality ${servers.criticality[i]}`].filter((text) => text);
  const button = h("button", { type: "button", class: "open", "aria-expanded": "false", "data-server": i, click: (event) => { event.stopPropagation(); toggle(i); } }, named(servers.name[i]));
  const cell = (name, words, ...content) => h("td", { role: "cell", class: `column-${name}`, "data-label": words }, content);
  const row = h("tr", { role: "row", class: "summary", click: (event) => { if (!event.target.closest("a, button") && !String(getSelection())) toggle(i); } },
    cell("risk", "Risk", badge(servers.level[i])),
    h("th", { role: "rowheader", scope: "row", class: "column-name" }, button, about.length > 0 && h("small", {}, prose(about.join(" · ")))),
    cell("history", "History and forecast", h("span", { class: "metric" }, label(view.metrics[risk.metric] || "")), view.sparks[i] && spark(i)),
    cell("current", "Now", amount(risk.current, unit)),
    cell("peak", "Peak", amount(risk.peak, unit)),
    cell("critical", "Critical", risk.now ? h("b", {}, "now") : known(risk.criticalAt) ? [h("b", {}, when(momentOf(risk.criticalAt))), h("small", {}, `in ${span(risk.criticalAt)}`)] : h("span", { class: "quiet" }, "not expected")),
    cell("chance", "Chance", chance(risk.chanceCritical)),
    cell("why", "Why", h("div", { title: readable(servers.reason[i] || "") }, prose(servers.reason[i]))));
  const detail = h("tr", { role: "row", class: "detail", hidden: true }, h("td", { role: "cell", colspan: COLUMNS.length }));
  opened.set(i, { row, detail, button });
  return [row, detail];
}

async function toggle(i, open) {
  const { row, detail, button } = opened.get(i);
  const wanted = open === undefined ? detail.hidden : open;
  detail.hidden = !wanted;
  row.classList.toggle("is-open", wanted);
  button.setAttribute("aria-expanded", String(wanted));
  if (wanted && !detail.firstChild.firstChild) await serverSection(i, detail.firstChild);
}

/** Bring a server into view and open it, whatever is filtered and sorted. */
async function openServer(i) {
  if (!serverRows.matching.includes(i)) {
    Object.assign(filters, { text: "", metric: "", unit: "", region: "", criticality: "", cluster: "", levels: new Set(view.levels.keys()) });
    document.querySelectorAll(".filters input, .filters select").forEach((input) => { input.value = ""; });
    document.querySelectorAll(".chip").forEach((chip) => chip.setAttribute("aria-pressed", "true"));
    serverTable.draw();
  }
  const place = serverRows.matching.indexOf(i);
  if (place >= serverRows.rows.shown()) serverRows.rows.grow(place + 1);
  await toggle(i, true);
  opened.get(i).row.scrollIntoView({ block: "start" });
  opened.get(i).button.focus({ preventScroll: true });
}

function followLink() {
  const found = /^#server=(.*)$/.exec(location.hash);
  if (!found) return;
  try {
    const name = decodeURIComponent(found[1]);
    if (positionOf.has(name)) openServer(positionOf.get(name));
  } catch {
    // Not a link of this report: nothing to open.
  }
}

// ---- One server ----

async function serverSection(i, place) {
  const facts = [
    ["Name", servers.name[i].length > 40 ? servers.name[i] : null], ["Instance", servers.instance[i]], ["vCPUs", servers.vcpus[i]], ["Memory", known(servers.memory[i]) ? `${servers.memory[i]} GB` : null],
    ["Cost", known(servers.cost[i]) ? `USD ${count(servers.cost[i])} a month` : null], ["Behaviour", servers.cluster[i]],
    ["Business unit", servers.unit[i]], ["Region", servers.region[i]], ["Criticality", servers.criticality[i]],
  ].filter(([, value]) => known(value) && value !== "");
  const advice = view.recommendations.items.filter((item) => item.server_ids.includes(servers.name[i]));
  const panel = h("section", { class: "server-section", "aria-label": `Server ${readable(servers.name[i])}` },
    h("dl", { class: "server-facts" }, facts.map(([words, value]) => h("div", {}, h("dt", {}, words), h("dd", {}, prose(value)))),
      h("div", {}, h("dt", {}, "Link"), h("dd", {}, h("a", { href: linkTo(servers.name[i]) }, "to this server")))),
    advice.map((item) => h("p", { class: "advice" }, h("strong", {}, (ACTIONS[item.action] || [item.action])[0]), ": ", prose(item.reason),
      item.monthly_saving > 0 && ` Saves ${money(item.monthly_saving)} a month.`)));
  place.append(panel);
  let unpacked = null;
  try {
    unpacked = await seriesOf(i);
  } catch {
    panel.append(h("p", { class: "note" }, "This browser cannot unpack the charts; one from 2023 or later can."));
  }
  if (!unpacked) panel.append(h("p", { class: "note" }, "Its history and forecast are in ", h("code", {}, "risk_flagged_forecasts.parquet"), "."));
  for (const risk of [...risksOf[i]].sort((a, b) => b.level - a.level || (b.metric === servers.worst[i]) - (a.metric === servers.worst[i]))) {
    panel.append(metricPanel(risk, unpacked && unpacked.find((series) => series.metric === risk.metric)));
  }
}

function metricPanel(risk, series) {
  const unit = view.units[risk.metric], thresholds = view.thresholds[risk.metric];
  const date = (step) => (known(step) ? when(momentOf(step)) : null);
  const range = known(risk.earliest) && !risk.now && risk.earliest !== risk.latest ? `${date(risk.earliest)} and ${date(risk.latest) || "after " + date(view.horizon)}` : null;
  const seasons = [["day", "daily"], ["week", "weekly"], ["year", "yearly"]].filter(([key]) => risk[key] >= 0.6).map(([, words]) => words);
  const habits = [
    HOURLY && known(risk.peakHour) && risk.day >= 0.3 ? `at ${String(risk.peakHour).padStart(2, "0")}:00` : null,
    known(risk.peakWeekday) && risk.week >= 0.3 ? `on ${WEEKDAYS[risk.peakWeekday]}s` : null,
    known(risk.peakMonth) && risk.year >= 0.3 ? `in ${MONTHS[risk.peakMonth - 1]}` : null,
  ].filter((words) => words);
  const facts = [
    ["Now", amount(risk.current, unit)],
    ["Expected peak", known(risk.peak) ? `${amount(risk.peak, unit)}, ${date(risk.peakAt)}` : "–"],
    ["19 in 20 below", amount(risk.peak95, unit)],
    thresholds && [`Chance above ${amount(thresholds.warning, unit)}`, chance(risk.chanceWarning)],
    thresholds && [`Chance above ${amount(thresholds.critical, unit)}`, chance(risk.chanceCritical)],
    thresholds && ["Critical by", risk.now ? "now" : date(risk.criticalAt) || "not expected"],
    range && ["8 in 10 between", range],
    known(risk.holidayPeak) && ["Next holiday", `${amount(risk.holidayPeak, unit)}, ${date(risk.holidayAt)}`],
    known(risk.quarterPeak) && ["Quarter end", `${amount(risk.quarterPeak, unit)}, ${date(risk.quarterAt)}`],
    known(risk.growth) && Math.abs(risk.growth) >= 0.5 && ["Trend", `${risk.growth > 0 ? "+" : "−"}${amount(Math.abs(risk.growth), unit)} a month`],
    seasons.length > 0 && ["Rhythm", `${seasons.join(" and ")}${habits.length ? ", highest " + habits.join(", ") : ""}`],
  ].filter((fact) => fact);
  const panel = h("article", { class: "metric-panel" },
    h("h3", {}, sentence(label(view.metrics[risk.metric])), " ", badge(risk.level)),
    h("p", { class: "reason" }, prose(risk.reason)));
  const drawing = h("div", { class: "drawing" });
  if (series && (series.history.values.length || series.q50.values.length)) {
    let drawnAt = 0;
    new ResizeObserver(() => {
      const width = Math.round(drawing.clientWidth);
      if (width > 0 && Math.abs(width - drawnAt) > 8) drawing.replaceChildren(...forecastChart(series, risk, (drawnAt = width)).flat());
    }).observe(drawing);
  }
  panel.append(h("div", { class: "metric-body" }, drawing, h("dl", { class: "metric-facts" }, facts.map(([words, value]) => h("div", {}, h("dt", {}, words), h("dd", {}, value))))));
  return panel;
}

// ---- The fleet over time ----

function fleetSection() {
  const { starts, past, days, rows, totals } = view.overTime;
  const order = servers.name.map((_, i) => i).filter((i) => !atRisk || servers.level[i] > 0);
  const stretch = days === 1 ? "day" : days === 7 ? "week" : `${days} days`;
  const title = (column) => `${days === 1 ? "" : "from "}${day(starts[column], true)}`;
  const highest = Math.max(...totals.map((levels) => levels.slice(1).reduce((a, b) => a + b, 0)), 1);
  const tower = (levels, column) => {
    const atRiskThen = levels.slice(1).reduce((a, b) => a + b, 0);
    const stack = h("div", { class: "tower", "aria-hidden": "true" }, levels.map((number, level) => {
      if (!level || !number) return null;
      const part = h("span", { class: `fill level-${view.levels[level]}` });
      part.style.height = `${(number / highest) * 100}%`;
      return part;
    }));
    return h("td", { class: column === past && past ? "now" : null, title: `${title(column)}: ` + levels.map((number, level) => `${number} ${view.levels[level]}`).slice(1).reverse().join(", ") },
      h("div", { class: "tower-box" }, h("span", { class: "tower-number" }, count(atRiskThen)), stack));
  };
  const heatRow = (i) => [h("tr", {}, h("th", { scope: "row" }, serverLink(servers.name[i])),
    [...rows[i]].map((code, column) => {
      const level = code === "." ? null : Number(code);
      return h("td", { class: `cell ${level === null ? "" : `level-${view.levels[level]}`}${column === past && past ? " now" : ""}`, title: `${title(column)}: ${level === null ? "no value" : view.levels[level]}` },
        h("span", { class: "hidden" }, level === null ? "no value" : view.levels[level]), level ? h("span", { "aria-hidden": "true" }, view.levels[level][0].toUpperCase()) : "");
    }))];
  const body = h("tbody", {}), rowsShown = growing(body, order, heatRow, "servers");
  const every = starts.length > 12 ? 2 : 1;
  return section("fleet", "The fleet over time",
    h("p", { class: "intro" }, `The worst level a ${stretch}, of the whole fleet and of each server. `, past > 0 && "Left of the line as measured; right of it the level reached by then, as forecast."),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Risk by server and time" },
      h("table", { class: "heat" }, h("caption", { class: "hidden" }, `Risk by server and ${stretch}`),
        h("thead", {},
          h("tr", { class: "towers" }, h("th", { scope: "row" }, `Servers at risk of ${count(view.fleet.servers)}`), totals.map(tower)),
          h("tr", {}, h("th", { scope: "col" }, h("span", { class: "hidden" }, "Server")), starts.map((start, column) =>
            h("th", { scope: "col", class: column === past && past ? "now" : null }, column % every === 0 ? day(start) : h("span", { class: "hidden" }, day(start)))))),
        body)),
    rowsShown.more, levelKey());
}

function levelKey() {
  return h("p", { class: "key" }, view.levels.map((_, level) => badge(level)).reverse());
}

// ---- When the fleet peaks together ----

function rhythmSection() {
  const part = (values, words, ends, unit) => (values && values.some(known) ? bars(values, words, ends, unit) : h("p", { class: "quiet" }, "not measured"));
  const hours = Array.from({ length: 24 }, (_, hour) => `${String(hour).padStart(2, "0")}:00`);
  const highest = (values) => (values && values.filter(known).length > 1 ? values.indexOf(Math.max(...values.filter(known))) : -1);
  const lift = (values) => {
    const there = values.filter(known), mean = there.reduce((a, b) => a + b, 0) / there.length;
    return mean > 0 ? Math.round((Math.max(...there) / mean - 1) * 100) : 0;
  };
  const words = (peaks) => {
    const parts = [["hours", (i) => `at ${hours[i]} UTC`], ["weekdays", (i) => `on ${WEEKDAYS[i]}s`], ["months", (i) => `in ${MONTHS[i]}`]]
      .filter(([key]) => highest(peaks[key]) >= 0 && lift(peaks[key]) >= 3 && (key !== "months" || peaks.months.filter(known).length >= 6)).map(([key, say]) => `${say(highest(peaks[key]))} (${lift(peaks[key])} % above its average)`);
    return parts.length ? `highest ${parts.join(", ")}` : "about the same at all times";
  };
  const metrics = Object.keys(view.peaks || {});
  const seasons = view.seasons, marked = [["day", "a daily"], ["week", "a weekly"], ["year", "a yearly"]].filter(([key]) => seasons[key])
    .map(([key, say]) => `${share(seasons[key] / seasons.series)} have ${say} rhythm`);
  return section("rhythm", "When the fleet peaks together",
    marked.length > 0 && h("p", { class: "intro" }, `Of ${plural(seasons.series, "series", "series")}, ${marked.join(", ")}${seasons.trend ? `, ${share(seasons.trend / seasons.series)} a marked trend` : ""}.`),
    metrics.length === 0 && h("p", {}, "There is too little history to tell."),
    h("div", { class: "rhythm" }, metrics.map((metric) => {
      const peaks = view.peaks[metric], unit = view.units[view.metrics.indexOf(metric)] || "";
      return h("article", {}, h("h3", {}, sentence(label(metric)), ": ", h("span", { class: "soft" }, words(peaks))),
        h("div", { class: "rhythm-bars" },
          peaks.hours && h("figure", {}, h("figcaption", {}, "Hour of the day, UTC"), part(peaks.hours, hours, hours.map((hour, i) => (i % 6 ? "" : hour.slice(0, 2))), unit)),
          h("figure", {}, h("figcaption", {}, "Day of the week"), part(peaks.weekdays, WEEKDAYS, WEEKDAYS.map((name) => name[0]), unit)),
          peaks.months.filter(known).length >= 6 && h("figure", {}, h("figcaption", {}, "Month"), part(peaks.months, MONTHS, MONTHS.map((name) => name[0]), unit))));
    })),
    seasons.quarterEnd.length > 0 && h("p", {}, "Higher at the end of a quarter: ", seasons.quarterEnd.map(([name, metric, effect], i) =>
      [i ? ", " : "", serverLink(name), ` (${label(metric)} +${amount(effect, view.units[view.metrics.indexOf(metric)] || "")})`]), "."));
}

// ---- Groups of servers that behave alike ----

function groupsSection() {
  const order = view.profiles.map((profile) => profile.cluster);
  if (!order.length) return section("groups", "Servers that behave alike", h("p", {}, "There are too few servers to compare."));
  const full = Math.max(...view.profiles.flatMap((profile) => (profile.weekday_profile || []).filter(known)));
  const value = (number) => (typeof number === "number" ? Number(number.toPrecision(3)) : number);
  return section("groups", "Servers that behave alike",
    h("p", { class: "intro" }, "Servers close together on the map use their capacity alike. Each group's bars are its average week."),
    h("div", { class: "groups" },
      h("figure", { class: "map-box" }, clusterMap(order, (server) => { location.hash = linkTo(servers.name[server]); })),
      h("ul", { class: "profiles" }, view.profiles.map((profile, rank) => h("li", { class: `edge-${rank % 8}` },
        h("div", {}, h("h3", {}, readable(profile.name), " ", h("span", { class: "soft" }, plural(profile.size, "server"))),
          h("p", {}, prose(profile.description || ""), profile.typical_server !== undefined && [" Typical: ", serverLink(profile.typical_server), "."]),
          profile.features && h("details", {}, h("summary", {}, "Medians"), h("dl", { class: "inline" },
            Object.entries(profile.features).map(([name, number]) => h("div", {}, h("dt", {}, label(name)), h("dd", {}, value(number))))))),
        profile.weekday_profile && profile.weekday_profile.some(known) && bars(profile.weekday_profile, WEEKDAYS, WEEKDAYS.map((name) => name[0]), "", full))))));
}

// ---- Recommendations ----

function actionsSection() {
  const { items, total, counts } = view.recommendations, savings = view.savings || {}, by = savings.by_action || {};
  if (!total) return section("actions", "Recommendations", h("p", {}, "Nothing to change: no server needs more capacity, and none could clearly do with less."));
  const details = (values) => Object.entries(values || {}).filter(([key, value]) => known(value) && typeof value !== "object" && key !== "monthly_cost_increase" && key !== "cost_from").slice(0, 8)
    .map(([key, value]) => `${label(key)} ${typeof value === "number" ? Number(value.toPrecision(4)) : value}`).join(", ");
  const size = (target) => {
    const { host, vcpus, memory_gb, hours_a_week, factor, ...others } = target;
    const words = [known(vcpus) && `${vcpus} vCPUs`, known(memory_gb) && `${memory_gb} GB`, known(factor) && `${factor} × today's size`, known(hours_a_week) && `off ${hours_a_week} hours a week`,
      ...Object.entries(others).filter(([key]) => key.endsWith("_factor")).map(([key, value]) => `${value} × today's ${label(key.slice(0, -7))}`)].filter((word) => word);
    return known(host) ? ["onto ", serverLink(host)] : words.length > 0 && words.join(", ");
  };
  const act = (action) => {
    const mine = items.filter((item) => item.action === action);
    const body = h("tbody", {});
    const columns = [
      ["Why", (item) => [prose(sentence(item.reason || "")), details(item.evidence) && h("small", {}, prose(details(item.evidence)))], "wide"],
      ["Target", (item) => item.target && size(item.target), "short"],
      ["By", (item) => item.by && day(Date.parse(item.by)), "tight"],
      ["Effort", (item) => item.effort, "tight"],
      ["Costs a month", (item) => item.action === "grow" && item.evidence && item.evidence.monthly_cost_increase > 0 && `+ ${money(item.evidence.monthly_cost_increase)}`, "number"],
      ["Saves a month", (item) => item.monthly_saving > 0 && money(item.monthly_saving), "number"],
    ].filter(([, cell]) => mine.some(cell));
    const row = (item) => [h("tr", {}, h("th", { scope: "row" }, serverList(item.server_ids, item.servers)),
      columns.map(([, cell, kind]) => h("td", { class: kind }, cell(item) || "–")))];
    const rows = growing(body, mine, row, "recommendations", 8);
    const [word, what] = ACTIONS[action];
    return h("article", { class: "action" },
      h("h3", {}, `${word} `, h("span", { class: "soft" }, `${count(counts[action])}: ${what}${by[action] > 0 ? `, saving ${money(by[action])} a month` : ""}`)),
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Recommendations: ${word}` }, h("table", { class: "plain" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Servers"), columns.map(([words, , kind]) => h("th", { scope: "col", class: kind }, words)))), body)),
      rows.more);
  };
  return section("actions", "Recommendations",
    h("p", { class: "intro" }, h("strong", {}, `${money(savings.monthly)} a month could be saved`), `, no server counted twice. `,
      total > items.length ? `The ${count(items.length)} most urgent of ${count(total)} are here; all are in ` : "The same list for programs and spreadsheets: ",
      h("code", {}, "optimization_recommendations.json"), " and ", h("code", {}, ".csv"), "."),
    Object.keys(ACTIONS).filter((action) => items.some((item) => item.action === action)).map(act));
}

// ---- Data quality ----

function dataSection() {
  const quality = view.quality || {}, rows = quality.rows || {}, panel = quality.panel || {}, gaps = quality.gaps || {}, from = quality.settings || {};
  if (!quality.rows) return section("data", "The data it rests on", h("p", {}, "This panel came without a data-quality report."));
  const files = quality.files || [], refused = files.filter((file) => file.error);
  const worst = gaps.worst || [], short = quality.short_series || [], values = quality.values || {};
  return section("data", "The data it rests on",
    h("ul", { class: "facts small" },
      [[count(rows.read || 0), "rows read"], [count(rows.accepted || 0), "accepted"], [count(rows.duplicates || 0), "duplicates"], [count(rows.quarantined || 0), "quarantined"],
        [count(values.clipped || 0), "values clipped"], [count(gaps.missing_periods || 0), `periods missing, ${plural(gaps.servers_with_gaps || 0, "server")}`]]
        .map(([value, words]) => h("li", {}, h("strong", {}, value), h("span", {}, words)))),
    from.errors && from.errors.length > 0 && h("div", { class: "warn" }, h("strong", {}, from.source === "last_good" ? "The settings have errors; the last good ones were used." : "The settings have errors."),
      h("ul", {}, from.errors.map((error) => h("li", {}, prose(error))))),
    refused.length > 0 && h("div", { class: "warn" }, h("strong", {}, `${plural(refused.length, "file")} could not be used.`),
      h("ul", {}, refused.slice(0, 20).map((file) => h("li", {}, h("code", {}, prose(file.file)), ": ", prose(file.error))))),
    (quality.notes || []).length > 0 && h("ul", {}, quality.notes.map((note) => h("li", {}, prose(note)))),
    h("p", {}, panel.first ? `The panel now covers ${plural(panel.servers, "server")} from ${day(Date.parse(panel.first), true)} to ${day(Date.parse(panel.last), true)}; ${count(panel.rows_new || 0)} of its ${count(panel.rows || 0)} rows are new, ${count(panel.rows_changed || 0)} changed. ` : "",
      "Every refused row, with file and line, is in ", h("code", {}, "quarantine.csv"), "; these figures are in ", h("code", {}, "data_quality.json"), "."),
    (quality.reasons || []).length > 0 && table("Why rows were refused", quality.reasons, [["Reason", (row) => prose(row.reason)], ["Rows", (row) => count(row.rows), true]]),
    (quality.examples || []).length > 0 && fold("Examples of refused rows", table("Refused rows", quality.examples.slice(0, 20), [
      ["File", (row) => prose(row.file)], ["Row", (row) => known(row.row) ? count(row.row) : "–", true], ["Column", (row) => prose(row.column || "–")], ["Value", (row) => h("code", {}, prose(known(row.value) ? row.value : ""))], ["Reason", (row) => prose(row.reason)]])),
    files.length > 0 && fold(`Files read (${count(files.length)})`, table("Files", files.slice(0, 100), [
      ["File", (row) => prose(row.file)], ["Form", (row) => row.shape || "–"], ["Read", (row) => count(row.rows_read || 0), true], ["Accepted", (row) => count(row.rows_accepted || 0), true],
      ["Duplicates", (row) => count(row.rows_duplicate || 0), true], ["Refused", (row) => count(row.rows_quarantined || 0), true], ["Columns ignored", (row) => prose((row.ignored_columns || []).join(", ") || "–")]])),
    worst.length > 0 && fold("Largest gaps", table("Gaps", worst.slice(0, 20), [["Server", (row) => serverLink(row.server_id)], ["Metric", (row) => label(row.metric)], ["Missing", (row) => `${count(row.missing)} of ${count(row.expected)}`, true]])),
    short.length > 0 && fold(`Short series (${count(short.length)})`, table("Fewer than ten values", short.slice(0, 50), [["Server", (row) => serverLink(row.server_id)], ["Metric", (row) => label(row.metric)], ["Periods", (row) => count(row.periods), true]])));
}

function fold(title, ...content) {
  return h("details", { class: "fold" }, h("summary", {}, title), content);
}

// ---- How good the forecasts were ----

function forecastSection() {
  const model = view.model || {}, headline = model.headline || {}, drift = view.drift || {};
  const number = (value, digits) => (known(value) ? value.toFixed(digits) : "–");
  if (!model.headline) return section("forecast", "How good the forecasts were", h("p", {}, "This model came without backtest figures."));
  const gain = headline.improvement_percent;
  const cover = (measured, wanted) => h("div", { class: "cover" }, h("span", {}, `${wanted} % band`), coverBar(measured, wanted / 100), h("b", {}, share(measured)));
  const best = new Map();
  for (const row of model.candidates || []) {
    const key = `${row.metric} ${row.group}`;
    if (!best.has(key) || row.scaled_quantile_loss < best.get(key)) best.set(key, row.scaled_quantile_loss);
  }
  const drifted = Object.entries(drift.psi || {}).filter(([, value]) => known(value));
  return section("forecast", "How good the forecasts were",
    h("p", { class: "intro" }, `Tested on the past: ${model.windows ? plural(model.windows, "time") : "several times"} the last part of the history was hidden and forecast ${model.horizon ? `${span(model.horizon)} ahead` : ""}${known(model.sampled_series) ? `, for ${count(model.sampled_series)} of ${count(model.series)} series` : ""}. `,
      known(gain) && h("strong", {}, `The forecasts were ${Math.abs(Math.round(gain))} % ${gain >= 0 ? "better" : "worse"} than repeating the last season`), known(gain) && ` (MASE ${number(headline.mase, 2)} against ${number(headline.seasonal_naive_mase, 2)}).`),
    h("div", { class: "covers" }, h("p", {}, "Share of later values that fell inside the band:"), cover(headline.coverage_80, 80), cover(headline.coverage_90, 90)),
    (model.chosen || []).length > 0 && table("What was chosen", model.chosen.slice(0, 60), [
      ["Metric", (row) => label(row.metric)], ["Series", (row) => prose(label(row.group || "all"))], ["Chosen", (row) => h("strong", {}, prose(label(row.candidate)))], ["Number", (row) => known(row.series) ? count(row.series) : "–", true], ["Why", (row) => prose(row.reason || "")]]),
    (model.candidates || []).length > 0 && fold("All candidates", table("Errors in the backtest, lower is better; the best of its group is marked", model.candidates.slice(0, 120), [
      ["Metric", (row) => label(row.metric)], ["Series", (row) => prose(label(row.group || "all"))],
      ["Candidate", (row) => { const name = prose(label(row.candidate)); return row.scaled_quantile_loss === best.get(`${row.metric} ${row.group}`) ? h("strong", {}, name, " ✓") : name; }],
      ["MAE", (row) => number(row.mae, 2), true], ["RMSE", (row) => number(row.rmse, 2), true], ["sMAPE", (row) => number(row.smape, 1), true], ["MASE", (row) => number(row.mase, 2), true],
      ["Quantile loss", (row) => number(row.scaled_quantile_loss, 3), true], ["In 80 %", (row) => share(row.coverage_80), true], ["In 90 %", (row) => share(row.coverage_90), true]])),
    (model.feature_importance || []).length > 0 && fold("What the forecasts are drawn from", known(model.calendar_share) && h("p", {}, `The calendar accounts for ${share(model.calendar_share)}.`),
      h("ul", { class: "shares" }, model.feature_importance.slice(0, 15).map((row) => {
        const bar = h("span", { class: "share-bar", "aria-hidden": "true" });
        bar.style.width = `${Math.min(100, row.share * 100)}%`;
        return h("li", {}, h("span", {}, prose(label(row.feature)), " ", h("span", { class: "quiet" }, label(row.kind || ""))), h("span", { class: "share-track" }, bar), h("b", {}, share(row.share)));
      }))),
    (model.fallbacks || []).length > 0 && fold(`Simpler forecasts (${count(model.fallbacks.length)})`, table("Series too short for the models", model.fallbacks.slice(0, 60), [
      ["Server", (row) => serverLink(row.server_id)], ["Metric", (row) => label(row.metric)], ["Values", (row) => count(row.points || 0), true], ["Method", (row) => prose(row.method || "")], ["Why", (row) => prose(row.reason || "")]])),
    drifted.length > 0 && h("p", {}, drift.exceeded ? h("strong", {}, "The data has drifted from what the model learned: the next run trains anew. ") : "The data still looks like what the model learned. ",
      `Population stability index: ${drifted.map(([metric, value]) => `${label(metric)} ${number(value, 2)}`).join(", ")}; ${share(drift.servers_out_of_range)} of servers are outside their usual range.`),
    [...(model.notes || [])].map((note) => h("p", { class: "quiet" }, prose(note))));
}

/** How much of a band's promise was kept: a track with the promised share marked. */
function coverBar(measured, wanted) {
  const width = 200, x = (value) => value * width;
  return s("svg", { class: "cover-bar", viewBox: `0 0 ${width} 14`, "aria-hidden": "true" },
    s("rect", { class: "track", x: 0, y: 4, width, height: 6, rx: 3 }), known(measured) && s("rect", { class: "kept", x: 0, y: 4, width: x(measured), height: 6, rx: 3 }),
    s("line", { class: "promised", x1: x(wanted), x2: x(wanted), y1: 0, y2: 14 }));
}

// ---- This run ----

function runSection() {
  const run = view.run || {}, settings = view.settings, files = run.files || [], panel = (view.quality || {}).panel || {};
  const thresholds = view.metrics.map((metric, i) => view.thresholds[i] && `${label(metric)} ${amount(view.thresholds[i].warning, view.units[i])} / ${amount(view.thresholds[i].critical, view.units[i])}`).filter((text) => text);
  const facts = [
    ["Dataset", view.dataset], ["Run", view.runId], ["Planned", run.created_at], ["Previous run", run.previous_run_id], ["Mode", run.mode],
    ["Code", (run.code || {}).hash], ["Cost estimate", run.cost_estimate],
    ["Files", files.length ? `${count(files.length)}, ${count(files.reduce((sum, file) => sum + (file.size || 0), 0) / 1e6)} MB` : null],
    ["Rows read", (view.quality || {}).rows ? count(view.quality.rows.read || 0) : null], ["Panel", panel.rows ? `${count(panel.rows)} rows, ${plural(panel.servers, "server")}` : null],
    ["Model", (view.model || {}).feature_version ? `feature version ${view.model.feature_version}, ${plural(view.model.series || 0, "series", "series")}` : null],
    ["Period", HOURLY ? "an hour" : "a day"], ["Statistic", settings.statistic], ["Horizon", span(view.horizon)], ["Thresholds (warning / critical)", thresholds.join(", ")],
    ["Holidays", settings.holidays ? [settings.holidays.country, settings.holidays.subdivision].filter((text) => text).join(" ") : "none"],
    ["Quarter ends", settings.fiscal_quarter_ends.map((month) => MONTHS[month - 1]).join(", ")], ["Headroom kept", `${settings.headroom_percent} %`],
    ["Rates", `${settings.costs.currency} ${settings.costs.per_vcpu_hour} a vCPU and hour, ${settings.costs.per_gb_hour} a GB and hour`],
  ].filter(([, value]) => known(value) && value !== "");
  return section("run", "This run",
    view.notes.length > 0 && h("ul", {}, view.notes.map((note) => h("li", {}, prose(note)))),
    h("dl", { class: "run" }, facts.map(([words, value]) => h("div", {}, h("dt", {}, words), h("dd", {}, prose(value))))),
    files.length > 0 && fold("Files of this run", table("Files", files.slice(0, 200), [["File", (row) => prose(row.key || row.file)], ["Bytes", (row) => count(row.size || 0), true], ["Arrived", (row) => prose(row.last_modified || "")]])),
    h("p", { class: "quiet" }, "Beside this report: ", ["risk_flagged_forecasts.parquet", "risk_summary.json", "optimization_recommendations.json", "server_clusters.csv", "data_quality.json", "model_metrics.json"].map((file, i) => [i ? ", " : "", h("code", {}, file)]), "."));
}

// ---- The frame ----

function themeButton() {
  const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const kept = remembered("headroom-theme");
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  const button = h("button", { type: "button", class: "theme", click: () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    remembered("headroom-theme", document.documentElement.dataset.theme);
    button.textContent = dark() ? "Light" : "Dark";
  } });
  button.textContent = dark() ? "Light" : "Dark";
  return button;
}

const parts = [["risk", "Servers", riskSection], ["fleet", "Over time", fleetSection], ["rhythm", "Rhythm", rhythmSection], ["groups", "Groups", groupsSection],
  ["actions", "Recommendations", actionsSection], ["data", "Data", dataSection], ["forecast", "Forecasts", forecastSection], ["run", "Run", runSection]];
document.getElementById("page").append(
  h("a", { class: "skip", href: "#risk" }, "Skip to the servers"),
  h("nav", { class: "bar", "aria-label": "Sections" },
    h("a", { class: "brand", href: "#top" }, "Headroom"),
    h("div", { class: "links" }, parts.map(([id, words]) => h("a", { href: `#${id}` }, words))),
    h("div", { class: "buttons" }, h("button", { type: "button", click: () => print() }, "Print"), themeButton())),
  h("main", {}, top(), parts.map(([, , draw]) => draw())),
  h("footer", {}, h("p", {}, "Written by Headroom. This file is complete in itself and asks nothing of the network.")));
addEventListener("hashchange", followLink);
followLink();
