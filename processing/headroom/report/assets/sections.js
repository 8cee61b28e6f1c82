// The sections below the servers: fleet over time, rhythm, groups, recommendations, data, forecasts, run.

const ACTIONS = {
  grow: ["Grow", "give more capacity before it runs out"],
  stop: ["Stop", "idle, nothing seems to use them"],
  shrink: ["Shrink", "a smaller size keeps enough headroom"],
  schedule: ["Schedule", "switch off when nobody uses them"],
  consolidate: ["Consolidate", "move together onto fewer servers"],
};
const FILES = [
  "risk_flagged_forecasts.parquet", "risk_summary.json", "optimization_recommendations.json", "server_clusters.csv",
  "data_quality.json", "model_metrics.json",
];
const initials = (names) => names.map((name) => name[0]);
const metricOf = (row) => label(row.metric);
const unitOf = (metric) => view.units[view.metrics.indexOf(metric)] || "";

/** A table, or nothing where there are no rows. Columns are [title, cell(row), class]. */
function table(caption, rows, columns) {
  if (!rows.length) return null;
  return h("div.scroll", { tabindex: 0, role: "region", "aria-label": caption },
    h("table.plain", h("caption", caption), tableHead(columns),
      h("tbody", rows.map((row) => h("tr", columns.map(([, cell, kind]) => h("td", { class: kind }, cell(row))))))));
}

function tableHead(columns) {
  return h("thead", h("tr", columns.map(([title, , kind]) => h("th", { scope: "col", class: kind }, title))));
}

/** A part that opens on demand, or nothing where it has no content. */
function fold(title, ...content) {
  return content.some((part) => part) && h("details.fold", h("summary", title), content);
}

/** A warning with a list, or nothing where the list is empty. */
function warning(title, items) {
  return items.length > 0 && h("div.warn", h("strong", title), h("ul", items.map((item) => h("li", item))));
}

// ---- Servers that are not judged ----

/** Nothing where every server is judged. */
function unjudgedSection() {
  const { items, total, whole } = view.notJudged;
  if (!total) return null;
  const partly = total - whole;
  const rest = total > items.length && `The first ${count(items.length)} of ${count(total)} are here. `;
  const body = h("tbody");
  const last = (item) => {
    const moment = item.last && Date.parse(`${item.last}Z`), ago = moment && Math.round((view.asOf - moment) / PERIOD);
    return moment ? [when(moment), ago > 0 && h("small", `${span(ago)} ago`)] : "never";
  };
  const owner = (item) => {
    const i = positionOf.get(item.server_id);
    return known(i) && h("small", prose([servers.unit[i], servers.region[i]].filter((text) => text).join(" · ")));
  };
  const columns = [
    ["Server", (item) => [serverLink(item.server_id), owner(item)], "name"],
    ["Not judged", (item) => (item.whole ? "all of it" : prose(item.metrics.map(label).join(", "))), "short"],
    ["Last seen", last, "tight"],
    [HOURLY ? "Hours seen" : "Days seen", (item) => count(item.periods), "number"],
    ["Why, and what to do", (item) => prose(item.reason), "wide"],
  ];
  const row = (item) => [h("tr", columns.map(([, cell, kind]) => h("td", { class: kind }, cell(item))))];
  const shown = growing(body, items, row, "servers", 10);
  return section("unjudged", "Not judged",
    h("p.intro",
      "Silent servers and those with too little history have no risk level, and nothing is recommended for the silent. ",
      partly > 0 && `Of ${plural(partly, "server")} only some metrics are concerned. `, rest),
    h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Servers that are not judged" },
      h("table.plain", tableHead(columns), body)),
    shown.more);
}

// ---- The fleet over time ----

function fleetSection() {
  const { starts, past, days, rows, totals } = view.overTime;
  const inTotal = (levels) => sum(levels.slice(1));
  const highest = Math.max(...totals.map(inTotal), 1);
  const moment = (column) => `${days === 1 ? "" : "from "}${day(starts[column], true)}`;
  const mark = (column) => (past > 0 && column === past ? ".now" : "");
  const tower = (levels, column) => {
    const parts = levels.map((number, level) => {
      const part = level > 0 && number > 0 && h(`span.fill.level-${view.levels[level]}`);
      if (part) part.style.height = `${(number / highest) * 100}%`;
      return part;
    });
    const words = levels.map((number, level) => `${number} ${view.levels[level]}`).slice(1).reverse().join(", ");
    return h(`td${mark(column)}`, { title: `${moment(column)}: ${words}` },
      h("div.tower-box", h("span.tower-number", count(inTotal(levels))), h("div.tower", { "aria-hidden": "true" }, parts)));
  };
  const cell = (code, column) => {
    const level = code === "." ? null : view.levels[code];
    const words = level || "no value";
    return h(`td.cell${level ? `.level-${level}` : ""}${mark(column)}`, { title: `${moment(column)}: ${words}` },
      h("span.hidden", words), Number(code) > 0 && h("span", { "aria-hidden": "true" }, level[0].toUpperCase()));
  };
  const heading = (start, column) =>
    h(`th${mark(column)}`, { scope: "col" }, h(column % 2 && starts.length > 12 ? "span.hidden" : "span", day(start)));
  const body = h("tbody");
  const order = servers.name.map((_, i) => i).filter((i) => atRisk + toWatch === 0 || servers.level[i] > 0);
  const row = (i) => [h("tr", h("th", { scope: "row" }, serverLink(servers.name[i])), [...rows[i]].map(cell))];
  const shown = growing(body, order, row, "servers");
  return section("fleet", "The fleet over time",
    h("p.intro",
      `The worst level ${days === 1 || days === 7 ? "a" : "every"} ${stretch()}, of the whole fleet and of each server. `,
      past > 0 && "Left of the line as measured; right of it the level reached by then, as forecast."),
    h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Risk by server and time" },
      h("table.heat", h("caption.hidden", "Risk by server and time"),
        h("thead",
          h("tr.towers", h("th", { scope: "row" }, `Servers by level, of ${count(view.fleet.servers)}`), totals.map(tower)),
          h("tr", h("th", { scope: "col" }, h("span.hidden", "Server")), starts.map(heading))),
        body)),
    shown.more,
    h("p.key", [...view.levels.keys()].reverse().map(badge)));
}

// ---- When the fleet peaks together ----

function rhythmSection() {
  const hours = Array.from({ length: 24 }, (_, hour) => `${String(hour).padStart(2, "0")}:00`);
  const sixths = hours.map((hour, i) => (i % 6 ? "" : hour.slice(0, 2)));
  const kinds = [
    { key: "hours", title: "Hour of the day, UTC", names: hours, ends: sixths, say: (name) => `at ${name} UTC`, least: 12 },
    { key: "weekdays", title: "Day of the week", names: WEEKDAYS, say: (name) => `on ${name}s`, least: 4 },
    { key: "months", title: "Month", names: MONTHS, say: (name) => `in ${name}`, least: 6 },
  ];
  const mean = (values) => sum(values.filter(known)) / values.filter(known).length;
  const article = (metric) => {
    const measured = kinds
      .map((kind) => ({ ...kind, values: view.peaks[metric][kind.key] || [] }))
      .filter(({ values, least }) => values.filter(known).length >= least);
    const peaks = measured.map(({ values, names, say }) => {
      const top = Math.max(...values.filter(known)), lift = top / mean(values) - 1;
      return lift >= 0.03 && `${say(names[values.indexOf(top)])} (${share(lift)} above its average)`;
    }).filter((words) => words);
    const isFlat = ({ values }) => Math.max(...values.filter(known)) < 1.03 * mean(values);
    const words = peaks.length ? `highest ${peaks.join(", ")}` : "about the same at all times";
    return h("article", h("h3", sentence(label(metric)), ": ", h("span.soft", words)),
      h("div.rhythm-bars", measured.map((kind) => h("figure", h("figcaption", kind.title),
        bars(kind.values, kind.names, kind.ends || initials(kind.names), unitOf(metric), { marked: !isFlat(kind) })))));
  };
  const { series, trend, quarterEnd, ...strong } = view.seasons;
  const marked = [["day", "a daily rhythm"], ["week", "a weekly rhythm"], ["year", "a yearly rhythm"]]
    .filter(([key]) => strong[key]).map(([key, words]) => `${share(strong[key] / series)} have ${words}`)
    .concat(trend ? `${share(trend / series)} have a marked trend` : []);
  const effect = ([name, metric, size], i) =>
    [i ? ", " : "", serverLink(name), ` (${label(metric)} +${change(size, unitOf(metric))})`];
  const metrics = Object.keys(view.peaks);
  return section("rhythm", "When the fleet peaks together",
    marked.length > 0 && h("p.intro", `Of ${plural(series, "series", "series")}, ${marked.join(", ")}.`),
    metrics.length ? h("div.rhythm", metrics.map(article)) : h("p", "There is too little history to tell."),
    quarterEnd.length > 0 && h("p", "Higher at the end of a quarter: ", quarterEnd.map(effect), "."));
}

// ---- Groups of servers that behave alike ----

function groupsSection() {
  const title = "Servers that behave alike";
  if (!view.profiles.length) return section("groups", title, h("p", "There are too few servers to compare."));
  const hasMap = view.profiles.length > 1;
  const weeks = view.profiles.map((profile) => profile.weekday_profile || []);
  const highest = Math.max(...weeks.flat().filter(known));
  const group = (profile, rank) => h(`li.edge-${rank % 8}`,
    h("div",
      h("h3", readable(profile.name), " ", h("span.soft", plural(profile.size, "server"))),
      h("p", prose(profile.description), known(profile.typical_server) && [" Typical: ", serverLink(profile.typical_server), "."]),
      fold("Medians", facts("dl.inline", Object.entries(profile.features || {}).map(([name, value]) => [label(name), value])))),
    weeks[rank].some(known) && bars(weeks[rank], WEEKDAYS, initials(WEEKDAYS), "", { full: highest }));
  return section("groups", title,
    h("p.intro", hasMap && "Servers close together on the map use their capacity alike. ",
      "A group's bars are its average week."),
    h("div.groups", hasMap && h("figure.map-box", clusterMap()), h("ul.profiles", view.profiles.map(group))));
}

// ---- Recommendations ----

/** What a recommendation rests on, as far as no column says it. */
function evidenceOf(item) {
  const { vcpus, memory_gb, monthly_cost: cost, cost_from: source, ...others } = item.evidence || {};
  const measured = Object.entries(others).filter(([key, value]) => known(value) && /_(p95|max|peak|peak_q50)$/.test(key));
  const unit = (key) => (key.startsWith("network") ? "MB/s" : "%");
  return [
    ...measured.map(([key, value]) => `${label(key)} ${amount(value, unit(key))}`),
    known(cost) && `costs ${money(cost)} a month${source === "rates" ? " by the rates" : ""}`,
  ].filter((words) => words).join(", ");
}

/** A size in words; what is not known of it is left out. */
function sizeOf({ vcpus, memory_gb }) {
  return [known(vcpus) && plural(vcpus, "vCPU"), known(memory_gb) && `${memory_gb} GB`].filter((words) => words).join(", ");
}

function targetOf({ target, evidence }) {
  if (!target) return null;
  const { host, hours_a_week, factor, vcpus, memory_gb, ...others } = target;
  if (known(host)) return ["onto ", serverLink(host)];
  const size = sizeOf(target), now = size && sizeOf(evidence || {});
  const words = [
    size,
    known(factor) && `${factor} × today's size`,
    known(hours_a_week) && `off ${hours_a_week} hours a week`,
    ...Object.entries(others).map(([key, value]) => key.endsWith("_factor") && `${value} × today's ${label(key.slice(0, -7))}`),
  ].filter((part) => part).join(", ");
  return [words, now && now !== size && h("small", `now ${now}`)];
}

/** The reason without the target, which has a column. */
function withoutTarget(reason) {
  return reason.replace(/ Target: .*?\.(?= [A-Z]|$)/, "");
}

function actionsSection() {
  const { items, total, counts, increase: growth } = view.recommendations, savings = view.savings.by_action || {};
  const nothing = "Nothing to change: no server needs more capacity, and none could clearly do with less.";
  if (!total) return section("actions", "Recommendations", h("p", nothing));
  const increase = (item) => item.action === "grow" && (item.evidence || {}).monthly_cost_increase;
  const all = [
    ["Servers", (item) => serverList(item.server_ids, item.servers), "name"],
    ["Why", (item) => [prose(sentence(withoutTarget(item.reason || ""))), h("small", prose(evidenceOf(item)))], "wide"],
    ["Target", targetOf, "short"],
    ["When", (item) => item.by && byWhen(item.by), "tight"],
    ["Effort", (item) => item.effort, "tight"],
    ["Costs a month", (item) => increase(item) > 0 && `+ ${money(increase(item))}`, "number"],
    ["Saves a month", (item) => item.monthly_saving > 0 && money(item.monthly_saving), "number"],
  ];
  const article = ([action, [word, what]]) => {
    const mine = items.filter((item) => item.action === action);
    const columns = all.filter(([, cell]) => mine.some(cell));
    const body = h("tbody");
    const row = (item) => [h("tr", columns.map(([, cell, kind]) => h("td", { class: kind }, cell(item) || "–")))];
    const shown = growing(body, mine, row, "recommendations", 8);
    const saving = savings[action] > 0 ? `, saving ${money(savings[action])} a month` : "";
    return mine.length > 0 && h("article.action",
      h("h3", `${word} `, h("span.soft", `${count(counts[action])}: ${what}${saving}`)),
      h("div.scroll", { tabindex: 0, role: "region", "aria-label": `Recommendations: ${word}` },
        h("table.plain", tableHead(columns), body)),
      shown.more);
  };
  return section("actions", "Recommendations",
    h("p.intro",
      view.savings.monthly > 0
        && [h("strong", `${money(view.savings.monthly)} a month could be saved`), ", no server counted twice. "],
      growth > 0 && [h("strong", `${money(growth)} a month`), " is what the growth with a known price would cost. "],
      total > items.length ? `The ${count(items.length)} most urgent of ${count(total)} are here; all are in `
        : "The same list for programs and spreadsheets: ",
      h("code", "optimization_recommendations.json"), " and ", h("code", ".csv"), "."),
    Object.entries(ACTIONS).map(article));
}

// ---- The data it rests on ----

function dataSection() {
  const { rows, values = {}, files = [], reasons = [], examples = [], panel = {}, gaps = {} } = view.quality;
  const { short_series: short = [], settings = {}, notes = [] } = view.quality;
  const title = "The data it rests on";
  if (!rows) return section("data", title, h("p", "This panel came without a data-quality report."));
  const numbers = [
    [rows.read, "rows read"], [rows.accepted, "accepted"], [rows.duplicates, "duplicates"],
    [rows.quarantined, "quarantined"], [values.clipped, "values clipped"],
    [gaps.missing_periods, `periods missing, ${plural(gaps.servers_with_gaps || 0, "server")}`],
  ];
  const refused = files.filter((file) => file.error);
  const usedInstead = settings.source === "last_good" ? "; the last good ones were used" : "";
  const period = known(panel.first) && `from ${day(Date.parse(panel.first), true)} to ${day(Date.parse(panel.last), true)}`;
  const number = (key) => (row) => (known(row[key]) ? count(row[key]) : "–");
  const words = (key) => (row) => prose(row[key]);
  return section("data", title,
    h("ul.facts.small", numbers.map(([value, what]) => h("li", h("strong", count(value || 0)), h("span", what)))),
    warning(`The settings have errors${usedInstead}.`, (settings.errors || []).map(prose)),
    warning(`${plural(refused.length, "file")} could not be used.`,
      refused.slice(0, 20).map((file) => [h("code", prose(file.file)), ": ", prose(file.error)])),
    notes.length > 0 && h("ul.notes", notes.map((note) => h("li", prose(note)))),
    h("p",
      period && `The panel now covers ${plural(panel.servers, "server")} ${period}; ${count(panel.rows_new || 0)} of its `
        + `${count(panel.rows || 0)} rows are new, ${count(panel.rows_changed || 0)} changed. `,
      "Every refused row, with file and line, is in ", h("code", "panel/quarantine.csv"),
      " of the run; these figures are in ", h("code", "data_quality.json"), "."),
    table("Why rows were refused", reasons, [["Reason", words("reason")], ["Rows", number("rows"), "number"]]),
    fold("Examples of refused rows", table("Refused rows", examples.slice(0, 20), [
      ["File", words("file")], ["Row", number("row"), "number"], ["Column", words("column")],
      ["Value", (row) => h("code", prose(row.value))], ["Reason", words("reason")],
    ])),
    fold(`Files read (${count(files.length)})`, table("Files", files.slice(0, 100), [
      ["File", words("file")], ["Form", words("shape")], ["Read", number("rows_read"), "number"],
      ["Accepted", number("rows_accepted"), "number"], ["Duplicates", number("rows_duplicate"), "number"],
      ["Refused", number("rows_quarantined"), "number"],
      ["Columns ignored", (row) => prose((row.ignored_columns || []).join(", "))],
    ])),
    fold("Largest gaps", table("Gaps", (gaps.worst || []).slice(0, 20), [
      ["Server", (row) => serverLink(row.server_id)], ["Metric", metricOf],
      ["Missing", (row) => `${count(row.missing)} of ${count(row.expected)}`, "number"],
    ])),
    fold(`Short series (${count(short.length)})`, table("Fewer than ten values", short.slice(0, 50), [
      ["Server", (row) => serverLink(row.server_id)], ["Metric", metricOf], ["Periods", number("periods"), "number"],
    ])));
}

// ---- How good the forecasts were ----

function forecastSection() {
  const { headline, candidates: all = [], chosen = [], feature_importance: features = [], fallbacks = [], notes = [] } = view.model;
  const { windows, horizon, backtested = horizon, series, sampled_series: sampled, calendar_share: calendar } = view.model;
  const title = "How good the forecasts were", candidates = all.filter((row) => known(row.scaled_quantile_loss));
  if (!headline) return section("forecast", title, h("p", "This model came without backtest figures."));
  const fixed = (value, digits) => (known(value) ? value.toFixed(digits) : "–");
  const error = (key, digits) => (row) => fixed(row[key], digits);
  const gain = headline.improvement_percent;
  const verdict = known(gain) &&
    `The forecasts were ${Math.abs(Math.round(gain))} % ${gain >= 0 ? "better" : "worse"} than repeating the last season`;
  const cover = (measured, wanted) =>
    h("div.cover", h("span", `${wanted} % band`), coverBar(measured, wanted / 100), h("b", share(measured)));
  const groupOf = (row) => `${row.metric} ${row.group}`;
  const best = new Map();
  for (const row of candidates) best.set(groupOf(row), Math.min(row.scaled_quantile_loss, best.get(groupOf(row)) ?? Infinity));
  const candidate = (row) => {
    const isBest = row.scaled_quantile_loss === best.get(groupOf(row));
    return isBest ? h("strong", prose(label(row.candidate)), " ✓") : prose(label(row.candidate));
  };
  const feature = (row) => {
    const bar = h("span.share-bar", { "aria-hidden": "true" });
    bar.style.width = `${Math.min(100, row.share * 100)}%`;
    return h("li", h("span", prose(label(row.feature)), " ", h("span.quiet", prose(label(row.kind || "")))),
      h("span.share-track", bar), h("b", share(row.share)));
  };
  const group = (row) => prose(label(row.group || "all"));
  return section("forecast", title,
    windows === 0
      ? h("p.intro", "Not tested: the history is too short to hide its last part and forecast that. How good the ",
        "forecasts are is not known, and their bands are wide.")
      : h("p.intro",
        `Tested on the past: ${known(windows) ? plural(windows, "time") : "several times"} the last part of the history was `,
        `hidden and forecast${known(backtested) ? ` ${span(backtested)} ahead` : ""}`,
        known(sampled) && `, for ${count(sampled)} of ${count(series)} series`, ". ",
        backtested < horizon && `The history is too short to test all ${span(horizon)}. `,
        verdict && [h("strong", verdict),
          ` (MASE ${fixed(headline.mase, 2)} against ${fixed(headline.seasonal_naive_mase, 2)}).`]),
    windows !== 0 && h("div.covers", h("p", "Share of later values that fell inside the band:"),
      cover(headline.coverage_80, 80), cover(headline.coverage_90, 90),
      view.coverage.length > 1 && h("p.quiet",
        `80 % band: ${view.coverage.map(({ metric, share: held }) => `${label(metric)} ${share(held)}`).join(", ")}.`)),
    coverageWarning(),
    fold("What was chosen", table("Series by the method that served them best", chosen.slice(0, 60), [
      ["Metric", metricOf], ["Series", group], ["Chosen", (row) => h("strong", prose(label(row.candidate)))],
      ["Number", (row) => (known(row.series) ? count(row.series) : "–"), "number"], ["Why", (row) => prose(row.reason)],
    ])),
    fold("All candidates", table("Errors, lower is better; the best of its group is marked", candidates.slice(0, 120), [
      ["Metric", metricOf], ["Series", group], ["Candidate", candidate],
      ["MAE", error("mae", 2), "number"], ["RMSE", error("rmse", 2), "number"], ["sMAPE", error("smape", 1), "number"],
      ["MASE", error("mase", 2), "number"], ["Quantile loss", error("scaled_quantile_loss", 3), "number"],
      ["In 80 %", (row) => share(row.coverage_80), "number"], ["In 90 %", (row) => share(row.coverage_90), "number"],
    ])),
    fold("What the forecasts are drawn from",
      known(calendar) && h("p", `The calendar accounts for ${share(calendar)}.`),
      features.length > 0 && h("ul.shares", features.slice(0, 15).map(feature))),
    fold(`Simpler forecasts (${count(fallbacks.length)})`, table("Series too short for the models", fallbacks.slice(0, 60), [
      ["Server", (row) => serverLink(row.server_id)], ["Metric", metricOf],
      ["Values", (row) => count(row.points || 0), "number"], ["Method", (row) => prose(row.method)],
      ["Why", (row) => prose(row.reason)],
    ])),
    driftWords(),
    notes.map((note) => h("p.quiet", prose(note))));
}

function driftWords() {
  const { psi = {}, servers_out_of_range: outside, exceeded, reason } = view.drift || {};
  const indices = Object.entries(psi).filter(([, value]) => known(value));
  return indices.length > 0 && h("p",
    exceeded ? h("strong", `The data has drifted from what the model learned${reason ? ` (${prose(reason)})` : ""}: the next run trains anew. `)
      : "The data still looks like what the model learned. ",
    `Population stability index: ${indices.map(([metric, value]) => `${label(metric)} ${value.toFixed(2)}`).join(", ")}; `,
    `${share(outside)} of servers are outside their usual range.`);
}

// ---- This run ----

function runSection() {
  const { run, settings, quality, model } = view, { files = [] } = run, { holidays, costs } = settings;
  const megabytes = files.reduce((sum, file) => sum + (file.size || 0), 0) / 1e6;
  const thresholds = view.thresholds.map((levels, i) => levels &&
    `${label(view.metrics[i])} ${amount(levels.warning, view.units[i])} / ${amount(levels.critical, view.units[i])}`);
  return section("run", "This run",
    view.notes.length > 0 && h("ul.notes", view.notes.map((note) => h("li", prose(note)))),
    facts("dl.run", [
      ["Dataset", view.dataset],
      ["Run", view.runId],
      ["Planned", run.created_at],
      ["Previous run", run.previous_run_id],
      ["Mode", run.mode],
      ["Code", (run.code || {}).hash],
      ["Cost estimate", run.cost_estimate],
      files.length > 0 && ["Files", `${count(files.length)}, ${Number(megabytes.toPrecision(2))} MB`],
      quality.rows && ["Rows read", count(quality.rows.read || 0)],
      quality.panel && ["Panel", `${count(quality.panel.rows || 0)} rows, ${plural(quality.panel.servers || 0, "server")}`],
      known(model.feature_version) &&
        ["Model", `feature version ${model.feature_version}, ${plural(model.series || 0, "series", "series")}`],
      ["Period", HOURLY ? "an hour" : "a day"],
      ["Statistic", settings.statistic],
      ["Horizon", span(view.horizon)],
      ["Thresholds (warning / critical)", thresholds.filter((words) => words).join(", ")],
      ["Holidays", holidays ? [holidays.country, holidays.subdivision].filter((part) => part).join(" ") : "none"],
      ["Quarter ends", settings.fiscal_quarter_ends.map((month) => MONTHS[month - 1]).join(", ")],
      ["Headroom kept", `${settings.headroom_percent} %`],
      ["Rates", `${costs.currency} ${costs.per_vcpu_hour} a vCPU and hour, ${costs.per_gb_hour} a GB and hour`],
    ]),
    fold("Files of this run", table("Files", files.slice(0, 200), [
      ["File", (row) => prose(row.key || row.file)], ["Bytes", (row) => count(row.size || 0), "number"],
      ["Arrived", (row) => prose(row.last_modified)],
    ])),
    h("p.quiet", "Beside this report: ", FILES.map((file, i) => [i ? ", " : "", h("code", file)]), "."));
}
