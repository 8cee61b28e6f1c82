// Drawings, all SVG. Colours come from classes in report.css, so they follow the theme and the printer.

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** A level as four bars, filled up to its rank: to be told apart without colour. */
function meter(level) {
  return s("svg", { class: "meter", viewBox: "0 0 15 12", "aria-hidden": "true" },
    [1, 2, 3, 4].map((rank) =>
      s("rect", { class: rank <= level ? "on" : "off", x: (rank - 1) * 4, y: 12 - rank * 3, width: 3, height: rank * 3 })));
}

function badge(level) {
  return h("span", { class: `badge level-${view.levels[level]}` }, meter(level), view.levels[level]);
}

/** SVG path through points; a null value lifts the pen, and a lone value is a dot (a line of no length, round ends). */
function line(values, x, y) {
  let path = "", pen = false;
  values.forEach((value, i) => {
    if (value === null) { pen = false; return; }
    path += `${pen ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}${pen ? "" : "h0"}`;
    pen = true;
  });
  return path;
}

/** SVG path of the area between two lines; both have values at the same places. */
function band(low, high, x, y) {
  const there = low.map((value, i) => i).filter((i) => low[i] !== null && high[i] !== null);
  if (!there.length) return "";
  const upper = there.map((i) => `${x(i).toFixed(1)} ${y(high[i]).toFixed(1)}`);
  const lower = there.reverse().map((i) => `${x(i).toFixed(1)} ${y(low[i]).toFixed(1)}`);
  return `M${upper.join("L")}L${lower.join("L")}Z`;
}

/** The small line of a table row: a horizon of history and one of forecast, with the critical threshold. */
function spark(server) {
  const [history, middle, low, high] = view.sparks[server].slice(0, 4)
    .map((digits) => [...digits].map((digit) => (digit === "." ? null : DIGITS.indexOf(digit) / 63)));
  const width = 168, height = 40, step = width / (history.length + middle.length - 1);
  const past = (i) => i * step, ahead = (i) => (history.length + i) * step;
  const y = (value) => height - 2 - value * (height - 4);
  const mark = view.sparks[server][4];
  const now = (history.length - 0.5) * step;
  return s("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    s("rect", { class: "ahead", x: now, y: 0, width: width - now, height }),
    mark && s("line", { class: "critical-line", x1: 0, x2: width, y1: y(DIGITS.indexOf(mark) / 63), y2: y(DIGITS.indexOf(mark) / 63) }),
    s("path", { class: "band90", d: band(low, high, ahead, y) }),
    s("path", { class: "history", d: line(history, past, y) }),
    s("path", { class: "forecast", d: line(middle, ahead, y) }));
}

/** Round steps for an axis from zero. */
function ticks(top) {
  const rough = top / 4, power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 2.5, 5, 10].map((by) => by * power).find((size) => size >= rough);
  return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, i) => i * step);
}

/** Moments for a time axis, at most so many: starts of days, weeks, months or years, with their words. */
function timeTicks(from, to, most) {
  const days = (to - from) / DAY;
  if (days <= most * 14) {
    const every = [1, 2, 7, 14].find((size) => days / size <= most) * DAY;
    const start = Math.ceil((from - 4 * DAY) / every) * every + 4 * DAY; // 1970-01-05 was a Monday
    return Array.from({ length: Math.max(0, Math.floor((to - start) / every) + 1) }, (_, i) => [start + i * every, day(start + i * every)]);
  }
  const every = [1, 2, 3, 6, 12].find((size) => days / 30.4 / size <= most) || 24;
  const marks = [], date = new Date(from);
  for (let month = date.getUTCMonth() + 1; marks.length < 60; month++) {
    const moment = Date.UTC(date.getUTCFullYear(), month, 1);
    if (moment > to) break;
    if (new Date(moment).getUTCMonth() % every === 0) {
      const january = new Date(moment).getUTCMonth() === 0;
      marks.push([moment, MONTHS[new Date(moment).getUTCMonth()] + (january ? ` ${new Date(moment).getUTCFullYear()}` : "")]);
    }
  }
  return marks;
}

/**
 * History, forecast band and thresholds of one metric. Under the pointer, or with the arrow keys, the values of a
 * moment are read out in the line above.
 */
function forecastChart(series, risk, width) {
  const unit = view.units[series.metric], thresholds = view.thresholds[series.metric];
  const height = 210, left = 44, right = 12, top = 18, bottom = 24;
  const { history, q50 } = series;
  const first = Math.min(history.values.length ? history.first : q50.first, q50.values.length ? q50.first : history.first);
  const last = Math.max(history.first + history.values.length, q50.first + q50.values.length) - 1;
  const all = [...history.values, ...series.q95.values].filter(known);
  const highest = Math.max(...all, thresholds ? thresholds.critical * 1.05 : 0, unit === "%" ? 100 : 0, 1e-9);
  const x = (step) => left + ((step - first) / Math.max(1, last - first)) * (width - left - right);
  const y = (value) => height - bottom - (value / highest) * (height - top - bottom);
  const past = (i) => x(history.first + i), ahead = (i) => x(q50.first + i);
  const parts = [s("rect", { class: "ahead", x: x(0.5), y: top, width: Math.max(0, width - right - x(0.5)), height: height - top - bottom })];
  for (const value of unit === "%" ? [0, 25, 50, 75, 100] : ticks(highest)) {
    parts.push(s("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      s("text", { class: "axis", x: left - 6, y: y(value) + 4, "text-anchor": "end" }, amount(value, unit).replace(" MB/s", "")));
  }
  for (const [moment, words] of timeTicks(momentOf(first), momentOf(last), Math.max(2, Math.floor(width / 95)))) {
    const at = x((moment - view.asOf) / PERIOD);
    parts.push(s("line", { class: "tick", x1: at, x2: at, y1: height - bottom, y2: height - bottom + 4 }),
      s("text", { class: "axis", x: at, y: height - 7, "text-anchor": at > width - 30 ? "end" : "middle" }, words));
  }
  parts.push(
    s("path", { class: "band90", d: band(series.q05.values, series.q95.values, ahead, y) }),
    s("path", { class: "band80", d: band(series.q10.values, series.q90.values, ahead, y) }),
    s("path", { class: "history", d: line(history.values, past, y) }),
    s("path", { class: "forecast", d: line(q50.values, ahead, y) }));
  if (thresholds) {
    for (const name of ["warning", "critical"]) {
      parts.push(s("line", { class: `${name}-line`, x1: left, x2: width - right, y1: y(thresholds[name]), y2: y(thresholds[name]) }),
        s("text", { class: `${name}-text halo`, x: left + 4, y: y(thresholds[name]) - 3 }, `${name} ${amount(thresholds[name], unit)}`));
    }
  }
  parts.push(s("line", { class: "now", x1: x(0.5), x2: x(0.5), y1: top, y2: height - bottom }),
    s("text", { class: "axis", x: x(0.5) - 4, y: top - 6, "text-anchor": "end" }, "measured"),
    s("text", { class: "axis", x: x(0.5) + 4, y: top - 6 }, "forecast"));
  if (known(risk.criticalAt) && !risk.now) {
    const at = x(risk.criticalAt), flip = at > width - (HOURLY ? 160 : 120);
    if (known(risk.earliest)) {
      parts.push(s("line", { class: "range", x1: x(risk.earliest), x2: known(risk.latest) ? x(risk.latest) : width - right, y1: height - bottom - 3, y2: height - bottom - 3 }));
    }
    parts.push(s("line", { class: "breach", x1: at, x2: at, y1: top, y2: height - bottom }),
      s("circle", { class: "breach-dot", cx: at, cy: y(thresholds.critical), r: 4 }),
      s("text", { class: "breach-text halo", x: at + (flip ? -6 : 6), y: height - bottom - 10, "text-anchor": flip ? "end" : "start" }, `critical ${when(momentOf(risk.criticalAt))}`));
  }

  const rest = known(risk.peak) ? `Expected peak ${amount(risk.peak, unit)} on ${when(momentOf(risk.peakAt))}` : "No forecast";
  const readout = h("p", { class: "readout", "aria-live": "polite" }, rest);
  const cursor = s("line", { class: "cursor", x1: -9, x2: -9, y1: top, y2: height - bottom });
  const at = (values, step) => values.values[step - values.first];
  let place = null;
  const show = (step) => {
    place = Math.max(first, Math.min(last, Math.round(step)));
    cursor.setAttribute("x1", x(place));
    cursor.setAttribute("x2", x(place));
    const measured = at(history, place), expected = at(q50, place);
    const words = known(expected)
      ? `expected ${amount(expected, unit)}, 8 in 10 between ${amount(at(series.q10, place), unit)} and ${amount(at(series.q90, place), unit)}`
      : known(measured) ? `measured ${amount(measured, unit)}` : "no value";
    readout.textContent = `${when(momentOf(place))}: ${words}`;
  };
  const drawing = s("svg", {
    class: "chart", viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "img",
    "aria-label": `${label(view.metrics[series.metric])}: history and forecast. ${rest}. Arrow keys read out values.`,
    pointermove: (event) => {
      const box = drawing.getBoundingClientRect();
      const share = ((event.clientX - box.left) / box.width) * width;
      show(first + ((share - left) / (width - left - right)) * (last - first));
    },
    pointerleave: () => { readout.textContent = rest; cursor.setAttribute("x1", -9); cursor.setAttribute("x2", -9); },
    keydown: (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -7, PageDown: 7 }[event.key];
      if (!move) return;
      event.preventDefault();
      show((place === null ? 0 : place) + move);
    },
  }, parts, cursor);
  return [readout, drawing];
}

/** A row of bars with the highest marked; values may be null. Words name each bar; `full` is the value of a full bar. */
function bars(values, words, ends, unit, full = 0) {
  const width = Math.max(150, values.length * 15), height = 58, each = width / values.length;
  const highest = Math.max(full, ...values.filter(known), 1e-9), top = values.indexOf(Math.max(...values.filter(known)));
  return s("svg", { class: "bars", viewBox: `0 0 ${width} ${height + 16}`, role: "img", "aria-label": `Highest: ${words[top] || "unknown"}` },
    values.map((value, i) => known(value) && s("rect", {
      class: i === top ? "highest" : "column", x: i * each + 1, width: each - 2,
      y: height - (value / highest) * height, height: (value / highest) * height,
    }, s("title", {}, `${words[i]}: ${amount(value, unit)}`))),
    ends.map((text, i) => s("text", { class: "axis", x: (i + 0.5) * each, y: height + 12, "text-anchor": "middle" }, text)));
}

/** Servers that reach a critical threshold, by the week (or day) they first do. */
function breachBars() {
  const { starts, past, days } = view.overTime, counts = view.breaches;
  const width = 420, height = 122, bottom = 20, each = width / counts.length, highest = Math.max(...counts, 1);
  const every = Math.ceil(counts.length / 6);
  return s("svg", { class: "breaches", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Servers that first reach a critical threshold, ${days === 1 ? "by day" : days === 7 ? "by week" : `every ${days} days`}: ${counts.join(", ")}` },
    s("line", { class: "grid", x1: 0, x2: width, y1: height - bottom, y2: height - bottom }),
    counts.map((number, i) => {
      const size = (number / highest) * (height - bottom - 18);
      return [
        number > 0 && s("rect", { class: "fill-critical", x: i * each + 2, width: each - 4, y: height - bottom - size, height: size, rx: 1.5 }),
        number > 0 && s("text", { class: "number", x: (i + 0.5) * each, y: height - bottom - size - 4, "text-anchor": "middle" }, count(number)),
        i % every === 0 && s("text", { class: "axis", x: (i + 0.5) * each, y: height - 5, "text-anchor": i === 0 ? "start" : i * each > width - 50 ? "end" : "middle" }, day(starts[past + i])),
      ];
    }));
}

/** The cluster map; each point opens its server. report.py found the places of the names. */
function clusterMap(order, open) {
  const width = 640, height = 430;
  const x = (value) => (value / 1000) * width, y = (value) => height - (value / 1000) * height;
  const radius = view.map.points.length > 400 ? 3.2 : 5;
  return s("svg", { class: "map", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": "Map of servers: those close together use their capacity alike. The groups are listed beside it." },
    view.map.points.map(([across, up, cluster, server]) =>
      s("circle", { class: `dot group-${order.indexOf(cluster) % 8}`, cx: x(across), cy: y(up), r: radius, click: () => open(server) },
        s("title", {}, readable(view.servers.name[server])))),
    view.profiles.map((profile, rank) => s("text", { class: `group-name halo group-${rank % 8}`, x: x(view.map.names[rank][0]), y: y(view.map.names[rank][1]) + 5, "text-anchor": "middle" }, readable(profile.name))));
}
