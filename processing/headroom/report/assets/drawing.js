// Drawings, all SVG. Colours come from classes in report.css, so they follow the theme and the printer.

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** A level as four bars, filled up to its rank: to be told apart without colour. */
function meter(level) {
  const bar = (rank) =>
    s(`rect.${rank <= level ? "on" : "off"}`, { x: (rank - 1) * 4, y: 12 - rank * 3, width: 3, height: rank * 3 });
  return s("svg.meter", { viewBox: "0 0 15 12", "aria-hidden": "true" }, [1, 2, 3, 4].map(bar));
}

function badge(level) {
  return h(`span.badge.level-${view.levels[level]}`, meter(level), view.levels[level]);
}

/** SVG path through points; null lifts the pen, and a lone value is a dot (a line of no length with round ends). */
function line(values, x, y) {
  let path = "";
  values.forEach((value, i) => {
    if (value === null) return;
    const joins = i > 0 && values[i - 1] !== null;
    path += `${joins ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}${joins ? "" : "h0"}`;
  });
  return path;
}

/** SVG path of the area between two lines, where both have values. */
function band(low, high, x, y) {
  const there = low.map((_, i) => i).filter((i) => low[i] !== null && high[i] !== null);
  if (!there.length) return "";
  const upper = there.map((i) => `${x(i).toFixed(1)} ${y(high[i]).toFixed(1)}`);
  const lower = there.reverse().map((i) => `${x(i).toFixed(1)} ${y(low[i]).toFixed(1)}`);
  return `M${upper.join("L")}L${lower.join("L")}Z`;
}

/** The small line of a table row: a horizon of history and one of forecast, with the critical threshold. */
function spark(server) {
  const value = (digit) => (digit === "." ? null : DIGITS.indexOf(digit) / 63);
  const [history, middle, low, high, [critical]] = view.sparks[server].map((digits) => [...digits].map(value));
  const width = 168, height = 40, step = width / (history.length + middle.length - 1);
  const past = (i) => i * step, ahead = (i) => (history.length + i) * step;
  const y = (share) => height - 2 - share * (height - 4);
  const now = (history.length - 0.5) * step;
  return s("svg.spark", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    s("rect.ahead", { x: now, y: 0, width: width - now, height }),
    known(critical) && s("line.critical-line", { x1: 0, x2: width, y1: y(critical), y2: y(critical) }),
    s("path.band90", { d: band(low, high, ahead, y) }),
    s("path.history", { d: line(history, past, y) }),
    s("path.forecast", { d: line(middle, ahead, y) }));
}

/** Round steps for an axis from zero. */
function ticks(top) {
  const rough = top / 4, power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 2.5, 5, 10].map((by) => by * power).find((size) => size >= rough);
  return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, i) => i * step);
}

/** Moments for a time axis, at most so many, with their words: starts of days, weeks or months. */
function timeTicks(from, to, most) {
  const marks = [], days = (to - from) / DAY;
  if (days <= most * 14) {
    const every = [1, 2, 7, 14].find((size) => days / size <= most) * DAY;
    const monday = 4 * DAY; // 1970-01-05
    for (let moment = Math.ceil((from - monday) / every) * every + monday; moment <= to; moment += every) {
      marks.push([moment, day(moment)]);
    }
    return marks;
  }
  const every = [1, 2, 3, 6, 12].find((size) => days / 30.4 / size <= most) || 24;
  const start = new Date(from);
  for (let month = start.getUTCMonth() + 1; ; month++) {
    const date = new Date(Date.UTC(start.getUTCFullYear(), month, 1));
    if (date > to) return marks;
    const year = date.getUTCMonth() === 0 ? ` ${date.getUTCFullYear()}` : "";
    if (month % every === 0) marks.push([date.getTime(), MONTHS[date.getUTCMonth()] + year]);
  }
}

/**
 * History, forecast bands and thresholds of one metric, and a line of text above it: under the pointer, or with the
 * arrow keys, it reads out the values of a moment.
 */
function forecastChart(series, risk, width) {
  const { history, q50, q05, q10, q90, q95 } = series;
  const unit = view.units[series.metric], thresholds = view.thresholds[series.metric];
  const isWide = width > 480;
  const height = 210, left = 44, right = width - (thresholds && isWide ? 86 : 12), top = 18, bottom = height - 24;
  const spans = [history, q50].filter((part) => part.values.length);
  const first = Math.min(...spans.map((part) => part.first));
  const last = Math.max(...spans.map((part) => part.first + part.values.length - 1));
  const values = [...history.values, ...q95.values].filter(known);
  const highest = Math.max(...values, thresholds ? thresholds.critical * 1.05 : 0, unit === "%" ? 100 : 1e-9);
  const x = (step) => left + ((step - first) / Math.max(1, last - first)) * (right - left);
  const y = (value) => bottom - (value / highest) * (bottom - top);
  const past = (i) => x(history.first + i), ahead = (i) => x(q50.first + i);
  const across = (kind, at) => s(`line.${kind}`, { x1: left, x2: right, y1: at, y2: at });
  const upright = (kind, at, from = top, to = bottom) => s(`line.${kind}`, { x1: at, x2: at, y1: from, y2: to });
  const text = (kind, words, at, below, anchor) => s(`text.${kind}`, { x: at, y: below, "text-anchor": anchor }, words);

  const now = x(0.5);
  const drawn = [s("rect.ahead", { x: now, y: top, width: Math.max(0, right - now), height: bottom - top })];
  for (const value of unit === "%" ? [0, 25, 50, 75, 100] : ticks(highest)) {
    drawn.push(across("grid", y(value)));
    drawn.push(text("axis", amount(value, unit).replace(" MB/s", ""), left - 6, y(value) + 4, "end"));
  }
  for (const [moment, words] of timeTicks(momentOf(first), momentOf(last), Math.max(2, Math.floor(width / 95)))) {
    const at = x((moment - view.asOf) / PERIOD);
    drawn.push(upright("tick", at, bottom, bottom + 4));
    drawn.push(text("axis", words, at, height - 7, at > width - 30 ? "end" : "middle"));
  }
  drawn.push(
    s("path.band90", { d: band(q05.values, q95.values, ahead, y) }),
    s("path.band80", { d: band(q10.values, q90.values, ahead, y) }),
    s("path.history", { d: line(history.values, past, y) }),
    s("path.forecast", { d: line(q50.values, ahead, y) }));
  for (const name of thresholds ? ["warning", "critical"] : []) {
    const at = y(thresholds[name]), words = `${name} ${amount(thresholds[name], unit)}`;
    const beside = name === "warning" ? Math.max(at, y(thresholds.critical) + 13) : at;
    drawn.push(across(`${name}-line`, at),
      isWide ? text(`${name}-text`, words, right + 5, beside + 4) : text(`${name}-text.halo`, words, left + 4, at - 3));
  }
  drawn.push(upright("now", now));
  drawn.push(text("axis", "measured", now - 4, top - 6, "end"), text("axis", "forecast", now + 4, top - 6));
  if (known(risk.criticalAt) && !risk.now) {
    const at = x(risk.criticalAt), flip = at > right - (HOURLY ? 160 : 120);
    const words = `critical ${when(momentOf(risk.criticalAt))}`;
    const until = known(risk.latest) ? x(risk.latest) : right;
    drawn.push(
      known(risk.earliest) && s("line.range", { x1: x(risk.earliest), x2: until, y1: bottom - 3, y2: bottom - 3 }),
      upright("breach", at),
      s("circle.breach-dot", { cx: at, cy: y(thresholds.critical), r: 4 }),
      text("breach-text.halo", words, at + (flip ? -6 : 6), bottom - 10, flip ? "end" : "start"));
  }

  const summary = known(risk.peak)
    ? `Expected peak ${amount(risk.peak, unit)} on ${when(momentOf(risk.peakAt))}`
    : "No forecast";
  const readout = h("p.readout", { "aria-live": "polite" }, summary);
  const cursor = upright("cursor", -9);
  const put = (at) => ["x1", "x2"].forEach((name) => cursor.setAttribute(name, at));
  const valueAt = (part, step) => part.values[step - part.first];
  let place = 0;
  const readOut = (step) => {
    place = Math.max(first, Math.min(last, Math.round(step)));
    put(x(place));
    const measured = valueAt(history, place), expected = valueAt(q50, place);
    const range = [q10, q90].map((part) => amount(valueAt(part, place), unit)).join(" and ");
    const words = known(expected) ? `expected ${amount(expected, unit)}, 8 in 10 between ${range}`
      : known(measured) ? `measured ${amount(measured, unit)}` : "no value";
    readout.textContent = `${when(momentOf(place))}: ${words}`;
  };
  const drawing = s("svg.chart", {
    viewBox: `0 0 ${width} ${height}`,
    tabindex: 0,
    role: "img",
    "aria-label": `${label(view.metrics[series.metric])}: history and forecast. ${summary}. Arrow keys read out values.`,
    pointermove: (event) => {
      const box = drawing.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * width;
      readOut(first + ((at - left) / (right - left)) * (last - first));
    },
    pointerleave: () => {
      readout.textContent = summary;
      put(-9);
    },
    keydown: (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -7, PageDown: 7 }[event.key];
      if (!move) return;
      event.preventDefault();
      readOut(place + move);
    },
  }, drawn.filter((part) => part), cursor);
  return [readout, drawing];
}

/**
 * A row of bars with the highest marked; a value may be null.
 * `words` name each bar, `ends` stand under them, `full` is the value of a bar of full height, if not the highest's;
 * where the bars are all but equal, the highest is not `marked`.
 */
function bars(values, words, ends, unit, { full = 0, marked = true } = {}) {
  const width = Math.max(150, values.length * 15), height = 58, each = width / values.length;
  const top = Math.max(...values.filter(known)), most = Math.max(full, top, 1e-9);
  const bar = (value, i) => known(value) &&
    s(`rect.${marked && value === top ? "highest" : "column"}`,
      { x: i * each + 1, width: each - 2, y: height * (1 - value / most), height: (height * value) / most },
      s("title", `${words[i]}: ${amount(value, unit)}`));
  const name = (text, i) => s("text.axis", { x: (i + 0.5) * each, y: height + 12, "text-anchor": "middle" }, text);
  return s("svg.bars",
    { viewBox: `0 0 ${width} ${height + 16}`, role: "img", "aria-label": marked ? `Highest: ${words[values.indexOf(top)]}` : "All about the same" },
    values.map(bar), ends.map(name));
}

/** Servers that reach a critical threshold next, by the week (or day) they first do. */
function breachBars() {
  const { starts, past } = view.overTime, counts = view.breaches;
  const width = 420, height = 122, base = height - 20, each = width / counts.length, most = Math.max(...counts);
  const named = Math.ceil(counts.length / 6);
  const bar = (number, i) => {
    const size = (number / most) * (base - 18), middle = (i + 0.5) * each;
    return [
      number > 0 && s("rect.fill-critical", { x: i * each + 2, width: each - 4, y: base - size, height: size, rx: 1.5 }),
      number > 0 && s("text.number", { x: middle, y: base - size - 4, "text-anchor": "middle" }, count(number)),
      i % named === 0 && s("text.axis", { x: middle, y: height - 5, "text-anchor": "middle" }, day(starts[past + i])),
    ];
  };
  const words = `Servers that turn critical next, each ${stretch()}: ${counts.join(", ")}`;
  return s("svg.breaches", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words },
    s("line.grid", { x1: 0, x2: width, y1: base, y2: base }), counts.map(bar));
}

/** The cluster map; each point opens its server. page.py found the places of the names. */
function clusterMap() {
  const width = 640, height = 430, radius = 0.45 * view.map.dot * width;
  const x = (value) => (value / 1000) * width, y = (value) => height - (value / 1000) * height;
  const rankOf = new Map(view.profiles.map((profile, rank) => [profile.cluster, rank]));
  const dot = ([across, up, cluster, server]) => {
    const name = view.servers.name[server];
    return s(`circle.dot.group-${rankOf.get(cluster) % 8}`,
      { cx: x(across), cy: y(up), r: radius, click: () => { location.hash = linkTo(name); } },
      s("title", readable(name)));
  };
  const leader = (_, rank) => {
    const [across, up, toAcross, toUp] = view.map.names[rank];
    return s(`line.leader.group-${rank % 8}`, { x1: x(across), y1: y(up), x2: x(toAcross), y2: y(toUp) });
  };
  const title = (profile, rank) => {
    const [across, up] = view.map.names[rank];
    return s(`text.group-name.halo.group-${rank % 8}`, { x: x(across), y: y(up) + 5, "text-anchor": "middle" },
      readable(profile.name));
  };
  const words = "Map of servers: those close together use their capacity alike. The groups are listed beside it.";
  return s("svg.map", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words },
    view.profiles.map(leader), view.map.points.map(dot), view.profiles.map(title));
}

/** How much of a band's promise was kept: a track with the promised share marked. */
function coverBar(measured, wanted) {
  const width = 200;
  return s("svg.cover-bar", { viewBox: `0 0 ${width} 14`, "aria-hidden": "true" },
    s("rect.track", { x: 0, y: 4, width, height: 6, rx: 3 }),
    known(measured) && s("rect.kept", { x: 0, y: 4, width: measured * width, height: 6, rx: 3 }),
    s("line.promised", { x1: wanted * width, x2: wanted * width, y1: 0, y2: 14 }));
}
