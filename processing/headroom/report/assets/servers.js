// The top of the page, the table of servers, and each server's own section.

const AT_ONCE = 25;
const servers = view.servers;
const positionOf = new Map(servers.name.map((name, i) => [name, i]));
const risksOf = servers.name.map(() => []);
const risks = view.risks.server.map((server, i) => {
  const risk = Object.fromEntries(Object.entries(view.risks).map(([key, values]) => [key, values[i]]));
  risksOf[server].push(risk);
  return risk;
});
const worstOf = servers.worst.map((metric, i) => risksOf[i].find((risk) => risk.metric === metric) || risksOf[i][0] || {});
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const atRisk = sum(view.counts.slice(view.atRiskFrom));
const toWatch = sum(view.counts.slice(1, view.atRiskFrom));
/** A server's level, or -1 where nothing of it is judged. */
const levelOf = (i) => (servers.unjudged[i] ? -1 : servers.level[i]);
const levelBadge = (level) => (level < 0 ? h("span.badge.not-judged", "not judged") : badge(level));
const LATELY = HOURLY ? "last 24 hours" : "last 7 days";

function section(id, title, ...content) {
  return h("section.part", { id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), content);
}

/** A list of terms and what they are; entries without a value are left out. */
function facts(kind, entries) {
  const there = entries.filter((entry) => entry && known(entry[1]) && entry[1] !== "");
  const text = (value) => (value instanceof Node ? value : prose(value));
  return h(kind, there.map(([term, value]) => h("div", h("dt", term), h("dd", text(value)))));
}

function linkTo(name) {
  return "#server=" + encodeURIComponent(name);
}

/** A server's name as a link to its section, or as text where the report does not hold it. */
function serverLink(name) {
  if (!positionOf.has(name)) return h("span.server", { title: readable(name) }, named(name));
  // A link to where the page already is changes nothing by itself.
  const again = (event) => event.currentTarget.hash === location.hash && followLink();
  return h("a.server", { title: readable(name), href: linkTo(name), click: again }, named(name));
}

function serverList(names, total) {
  const shown = names.slice(0, 8);
  const rest = total > shown.length && ` and ${count(total - shown.length)} more`;
  return [shown.map((name, i) => [i ? ", " : "", serverLink(name)]), rest];
}

/** Items a page at a time: fills the container and gives the button that shows more. `grow(n)` shows at least n. */
function growing(container, items, draw, words, step = AT_ONCE) {
  let shown = 0;
  const button = h("button.more", { type: "button", click: () => grow() }), onPaper = h("p.on-paper");
  const grow = (least = 0) => {
    const next = items.slice(shown, Math.max(shown + step, least));
    container.append(...next.flatMap(draw));
    shown += next.length;
    const left = items.length - shown;
    button.hidden = onPaper.hidden = left === 0;
    onPaper.textContent = `${count(left)} more ${words}, not printed here, are in the file this was printed from.`;
    button.textContent = left > step ? `Show ${step} of ${count(left)} more ${words}` : `Show ${count(left)} more`;
  };
  grow();
  return { more: h("div", button, onPaper), grow, shown: () => shown };
}

// ---- The top: what needs a decision ----

function top() {
  const above = new Set(risks.filter((risk) => risk.now).map((risk) => risk.server));
  const coming = risks.filter((risk) => known(risk.criticalAt) && !above.has(risk.server));
  const next = coming.length > 0 && Math.min(...coming.map((risk) => risk.criticalAt));
  const gain = (view.model.headline || {}).improvement_percent, { backtested, horizon } = view.model;
  const tested = backtested < horizon ? `, ${span(backtested)} ahead` : "";
  const advice = view.recommendations.total;
  const fact = (value, words, href) => h("li", h("a", { href }, h("strong", value), h("span", words)));
  const asOf = `apacity risk as of ${day(view.asOf, true)}`;
  return h("header.top", { id: "top" },
    h("div.lead",
      h("div",
        h("p.kicker", view.dataset ? [prose(view.dataset), ` · c${asOf}`] : `C${asOf}`),
        h("h1", `${view.headline}.`),
        fleetBar()),
      view.breaches.some((number) => number > 0) &&
        h("figure", h("figcaption", `Servers that turn critical next, by ${stretch()}`), breachBars())),
    h("ul.facts",
      fact(count(atRisk), `at risk${toWatch ? `, ${count(toWatch)} to watch` : ` of ${plural(view.fleet.servers, "server")}`}`, "#risk"),
      above.size > 0 && fact(count(above.size), "above critical now", "#risk"),
      next !== false && fact(when(momentOf(next)), `next, in ${span(next)}`, "#risk"),
      view.notJudged.total > 0 && fact(count(view.notJudged.total), "not judged", "#unjudged"),
      view.savings.monthly > 0 && fact(money(view.savings.monthly), "a month to save", "#actions"),
      fact(count(advice), advice === 1 ? "recommendation" : "recommendations", "#actions"),
      known(gain) &&
        fact(`${Math.abs(Math.round(gain))} %`, `${gain >= 0 ? "less" : "more"} error than naive${tested}`, "#forecast")),
    changes());
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
    h("ul.fleet-key", levels.map(([level, number]) => h("li", levelBadge(level), " ", count(number)))));
}

/** How many of the fleet are at each level, the highest first; the not judged, -1, come last. */
function levelCounts() {
  const judged = view.counts.map((number, level) => [level, level ? number : number - view.notJudged.whole]);
  return new Map([...judged.reverse(), [-1, view.notJudged.whole]]);
}

function changes() {
  if (!view.changes) return h("p.since", "The first run: there is nothing yet to compare with.");
  const kinds = [["new_at_risk", "New at risk"], ["worse", "Worse"], ["better", "Better"], ["resolved", "Resolved"]]
    .map(([key, words]) => [words, view.changes[key]])
    .filter(([, change]) => change && change.total);
  const entry = ([words, { total, names }]) =>
    h("div", h("dt", `${words} `, h("b", count(total))), h("dd", serverList(names, total)));
  return h("div.since", h("strong", "Since the last run"),
    kinds.length ? h("dl", kinds.map(entry)) : "No server's risk has changed.");
}

// ---- The table of servers ----

const COLUMNS = [
  { key: "risk", title: "Risk", value: (i) => i },
  { key: "name", title: "Server", value: (i) => servers.name[i].toLowerCase() },
  { key: "history", title: "History and forecast" },
  { key: "current", title: HOURLY ? "24\u2011hour mean" : "7\u2011day mean", value: (i) => worstOf[i].current, highestFirst: true },
  { key: "peak", title: "Expected peak", value: (i) => worstOf[i].peak, highestFirst: true },
  { key: "critical", title: "Critical by", value: (i) => (worstOf[i].now ? 0 : worstOf[i].criticalAt) },
  { key: "chance", title: "Chance of critical", value: (i) => worstOf[i].chanceCritical, highestFirst: true },
  { key: "why", title: "Why" },
];
const EVERY = { text: "", metric: "", unit: "", region: "", criticality: "", cluster: "" };
const filters = { ...EVERY, levels: new Set([...view.levels.keys()].filter((level) => level > 0 || atRisk + toWatch === 0)) };
const sorting = { column: COLUMNS[0], descending: false };
/** The elements of the table and what they show: the matching servers in order, and the rows of those drawn so far. */
const list = { body: h("tbody"), foot: h("div"), status: h("p.status", { role: "status" }), headings: [], matching: [] };
const rowOf = new Map();

function riskSection() {
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
  const left = view.fleet.servers - view.fleet.shown;
  const title = atRisk && toWatch ? "Servers at risk and to watch" : atRisk ? "Servers at risk" : toWatch ? "Servers to watch" : "Servers";
  const part = section("risk", title,
    left > 0 && h("p.note",
      `The ${count(view.fleet.shown)} servers that matter most are here: those at risk, and those that a change or a `,
      `recommendation names. The other ${count(left)} are in `, h("code", "risk_flagged_forecasts.parquet"), " and ",
      h("code", "server_clusters.csv"), "."),
    coverageWarning(),
    filterBar(),
    h("p.how",
      "Most urgent first: by level, then by how likely and how soon it turns critical, weighted by the ",
      "server's criticality. High and critical are at risk."),
    h("table.servers", { role: "table" },
      h("caption.hidden",
        "Servers with their risk. The buttons in the headings sort; a server's button opens its charts."),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, list.headings)), list.body),
    list.foot);
  drawServers();
  return part;
}

/** The metrics whose forecast bands held far more or fewer values in the backtest than they promise. */
function coverageWarning() {
  const [low, high] = view.fairCoverage;
  const say = ({ metric, share: held }) =>
    (held < low || held > high) && h("li", h("b", sentence(label(metric))),
      `: the 80 % band held ${share(held)} of later values, so it is too ${held < low ? "narrow" : "wide"}; `,
      held < low ? "crossings may come earlier or later than the dates and chances say."
        : "chances and ranges of dates are vaguer than they need be.");
  const items = view.coverage.map(say).filter((item) => item);
  return items.length > 0 && h("div.warn", h("strong", "Take these forecasts with care."), h("ul", items));
}

function filterBar() {
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
      level >= 0 && meter(level), `${level < 0 ? "not judged" : view.levels[level]} `, h("span.quiet", count(number)));
  };
  const choice = (key, title, values) => {
    const options = [...new Set(values.filter((value) => value))].sort();
    const choose = (event) => {
      filters[key] = event.target.value;
      drawServers();
    };
    return options.length > 1 && h("select", { "aria-label": title, change: choose },
      h("option", { value: "" }, title),
      options.map((value) => h("option", { value }, readable(label(value)))));
  };
  return h("div.filters", { role: "group", "aria-label": "Filter the servers" },
    search,
    h("div.chips", { role: "group", "aria-label": "Risk levels shown" }, [...levelCounts()].filter(([, number]) => number > 0).map(chip)),
    choice("metric", "Metric", servers.worst.map((metric) => view.metrics[metric])),
    choice("unit", "Business unit", servers.unit),
    choice("region", "Region", servers.region),
    choice("criticality", "Criticality", servers.criticality),
    choice("cluster", "Behaviour", servers.cluster),
    list.status);
}

function matches(i) {
  const wanted = filters.text.trim().toLowerCase();
  return filters.levels.has(levelOf(i)) &&
    (!filters.metric || view.metrics[servers.worst[i]] === filters.metric) &&
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
  list.status.textContent = list.matching.length
    ? `${count(list.matching.length)} of ${plural(view.fleet.shown, "server")}`
    : "No server matches. Clear a filter to see more.";
}

function showPressed(chip) {
  chip.setAttribute("aria-pressed", String(filters.levels.has(Number(chip.dataset.level))));
}

/** A server's row and, under it, the row that its section opens in. */
function serverRow(i) {
  const risk = worstOf[i], unit = view.units[risk.metric];
  const name = servers.name[i], judged = known(risk.chanceCritical);
  const about = [servers.unit[i], servers.region[i], servers.criticality[i] && `criticality\u00a0${servers.criticality[i]}`];
  const critical = risk.now ? [h("b", "above now"), known(risk.since) && h("small", `since ${sinceWhen(risk.since)}`)]
    : known(risk.criticalAt) ? [h("b", when(momentOf(risk.criticalAt))), h("small", `in ${span(risk.criticalAt)}`)]
    : [h("span.quiet", servers.unjudged[i] ? "not judged" : !judged ? "no threshold" : "not expected")];
  if (known(risk.early)) critical.push(h("small", `early warning: ${span(risk.early)} of history`));
  const cells = {
    history: [h("span.metric", label(view.metrics[risk.metric] || "")), spark(i)],
    current: amount(risk.current, unit),
    peak: amount(risk.peak, unit),
    critical,
    chance: chance(risk.chanceCritical),
    why: h("div", { title: readable(servers.reason[i] || "") }, prose(whyOf(i))),
  };
  const cell = ({ key, title }) =>
    cells[key] && h(`td.column-${key}`, { role: "cell", "data-label": title }, cells[key]);
  const opening = { type: "button", "aria-expanded": "false", click: () => toggle(i) };
  const button = h("button.open", opening, named(name));
  // A click anywhere on the row opens it too, unless it was on a control or marked text.
  const click = (event) => event.target.closest("a, button") || String(getSelection()) || toggle(i);
  const row = h("tr.summary", { role: "row", click },
    h("td.column-risk", { role: "cell" }, levelBadge(levelOf(i))),
    h("th.column-name", { role: "rowheader", scope: "row" },
      button, about.some((text) => text) && h("small", prose(about.filter((text) => text).join(" · ")))),
    COLUMNS.map(cell));
  const place = h("td", { role: "cell", colspan: COLUMNS.length });
  const detail = h("tr.detail", { role: "row", hidden: true }, place);
  rowOf.set(i, { row, detail, place, button });
  return [row, detail];
}

/** A day that may be long ago. */
function sinceWhen(step) {
  const moment = momentOf(step);
  return day(moment, new Date(moment).getUTCFullYear() !== new Date(view.asOf).getUTCFullYear());
}

/** The reason without the average; where the columns beside it say all of the reason, what drives the metric there. */
function whyOf(i) {
  const risk = worstOf[i], driver = known(risk.criticalAt) && !risk.now && driverOf(risk);
  return driver || (servers.reason[i] || "").replace(/ Average of the last [^.]*\.(?= |$)/, "");
}

/** What moves a metric, in words; null where nothing stands out. */
function driverOf(risk) {
  const name = sentence(label(view.metrics[risk.metric])), by = (size) => change(size, view.units[risk.metric]);
  const parts = [
    risk.rise >= 1 && `rose by ${by(risk.rise)} in ${HOURLY ? "a week" : "four weeks"}`,
    risk.leak >= 3 && `climbs and falls back by ${by(risk.leak)} a month, as with a leak and restarts`,
    risk.quarterEffect >= 3 && `rises by ${by(risk.quarterEffect)} at the end of a quarter`,
  ].filter((words) => words);
  return parts.length ? `${name} ${parts.join("; it ")}.` : null;
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

async function fillServerSection(i, place) {
  const name = servers.name[i], advice = view.recommendations.items.filter((item) => item.server_ids.includes(name));
  const panel = h("section.server-section", { "aria-label": `Server ${readable(name)}` },
    facts("dl.server-facts", [
      ["Name", name.length > 40 && name],
      ["Instance", servers.instance[i]],
      ["vCPUs", servers.vcpus[i]],
      ["Memory", known(servers.memory[i]) ? `${servers.memory[i]} GB` : null],
      ["Cost", known(servers.cost[i]) ? `USD ${count(servers.cost[i])} a month` : null],
      ["Behaviour", servers.cluster[i]],
      ["Business unit", servers.unit[i]],
      ["Region", servers.region[i]],
      ["Criticality", servers.criticality[i]],
      ["Link", h("a", { href: linkTo(name) }, "to this server")],
    ].filter(([, value]) => value !== false)),
    advice.map((item) => h("p.advice", h("strong", ACTIONS[item.action][0]), ": ", adviceOf(item))));
  place.append(panel);
  let series = null;
  try {
    series = await seriesOf(i);
    if (!series) panel.append(h("p.note", "Its history and forecast are in ", h("code", FILES[0]), "."));
  } catch {
    panel.append(h("p.note", "This browser cannot unpack the charts; one from 2023 or later can."));
  }
  const worst = (risk) => (risk.metric === servers.worst[i] ? 1 : 0);
  const ordered = [...risksOf[i]].sort((a, b) => b.level - a.level || worst(b) - worst(a));
  panel.append(...ordered.map((risk) => metricPanel(risk, series && series.find((one) => one.metric === risk.metric))));
}

/** The date by which to act, or that it is time. */
function byWhen(date) {
  return Date.parse(date) > view.asOf ? `by ${day(Date.parse(date))}` : "now";
}

/** A recommendation beside the charts of its server, which say why it is to grow. */
function adviceOf(item) {
  const increase = (item.evidence || {}).monthly_cost_increase;
  return [
    item.action === "grow" && item.target ? ["to ", targetOf(item), known(item.by) && `, ${byWhen(item.by)}`, "."]
      : prose(item.reason),
    item.monthly_saving > 0 && ` Saves ${money(item.monthly_saving)} a month.`,
    increase > 0 && ` Costs ${money(increase)} a month more.`,
  ];
}

/** One metric of a server: chart and figures. */
function metricPanel(risk, series) {
  const unit = view.units[risk.metric], thresholds = view.thresholds[risk.metric];
  const on = (value, step) => (known(value) && known(step) ? `${amount(value, unit)}, ${when(momentOf(step))}` : null);
  const date = (step) => (known(step) ? when(momentOf(step)) : null);
  const judged = known(risk.chanceCritical);
  const uncertain = known(risk.criticalAt) && known(risk.earliest) && !risk.now && risk.earliest !== risk.latest;
  const growth = `${risk.growth > 0 ? "+" : "−"}${change(Math.abs(risk.growth), unit)} a month`;
  const drawing = h("div.drawing");
  if (series && (series.history.values.length || series.q50.values.length)) drawToFit(drawing, series, risk);
  return h("article.metric-panel",
    h("h3", sentence(label(view.metrics[risk.metric])), " ", badge(risk.level)),
    h("p.reason", prose(risk.reason)),
    h("div.metric-body", drawing, facts("dl.metric-facts", [
      [sentence(LATELY), amount(risk.current, unit)],
      ["Expected peak", on(risk.peak, risk.peakAt) || "–"],
      ["19 in 20 below", amount(risk.peak95, unit)],
      thresholds && judged && [`Chance above ${amount(thresholds.warning, unit)}`, chance(risk.chanceWarning)],
      thresholds && judged && [`Chance above ${amount(thresholds.critical, unit)}`, chance(risk.chanceCritical)],
      thresholds && ["Critical by",
        risk.now ? `above since ${sinceWhen(risk.since)}` : date(risk.criticalAt) || (judged ? "not expected" : "not judged")],
      uncertain && ["8 in 10 between", `${date(risk.earliest)} and ${date(risk.latest) || `after ${date(view.horizon)}`}`],
      ["Next holiday", on(risk.holidayPeak, risk.holidayAt)],
      ["Quarter end", on(risk.quarterPeak, risk.quarterAt)],
      Math.abs(risk.growth) >= 0.5 && risk.trend >= 0.3 && ["Long-term trend", growth],
      ["Rhythm", rhythmOf(risk)],
    ])));
}

/** Draw the chart as wide as its place, and again when that changes. */
function drawToFit(place, series, risk) {
  let drawnAt = 0;
  new ResizeObserver(() => {
    const width = Math.round(place.clientWidth);
    if (width === 0 || Math.abs(width - drawnAt) <= 8) return;
    drawnAt = width;
    place.replaceChildren(...forecastChart(series, risk, width));
  }).observe(place);
}

/** A series' seasons in words: the strong ones named, the noticeable ones with their peak. */
function rhythmOf(risk) {
  const strong = [["day", "daily"], ["week", "weekly"], ["year", "yearly"]].filter(([key]) => risk[key] >= 0.6);
  const peaks = [
    HOURLY && risk.day >= 0.3 && known(risk.peakHour) && `at ${String(risk.peakHour).padStart(2, "0")}:00`,
    risk.week >= 0.3 && known(risk.peakWeekday) && `on ${WEEKDAYS[risk.peakWeekday]}s`,
    risk.year >= 0.3 && known(risk.peakMonth) && `in ${MONTHS[risk.peakMonth - 1]}`,
  ].filter((words) => words);
  if (!strong.length) return null;
  return strong.map(([, words]) => words).join(" and ") + (peaks.length ? `, highest ${peaks.join(", ")}` : "");
}
