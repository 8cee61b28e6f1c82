// Small drawings in SVG that stand in tables and lists. Colours come from classes in report.css.

import { h, known, s } from "./dom.js";
import { view } from "./data.js";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** A level as four bars, filled up to its rank: to be told apart without colour. */
export function meter(level) {
  const bar = (rank) =>
    s(`rect.${rank <= level ? "on" : "off"}`, { x: (rank - 1) * 4, y: 12 - rank * 3, width: 3, height: rank * 3 });
  return s("svg.meter", { viewBox: "0 0 15 12", "aria-hidden": "true" }, [1, 2, 3, 4].map(bar));
}

/** A level's badge; -1 is a server that is not judged. */
export function badge(level) {
  if (level < 0) return h("span.badge.not-judged", "not judged");
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
export function spark(server) {
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

/** A row of bars, see blocks.py; bars of full height stand for `full`, if not for the highest. */
export function bars({ values, names, ends, texts, marked }, full = 0) {
  const width = Math.max(150, values.length * 15), height = 58, each = width / values.length;
  const top = Math.max(...values.filter(known)), most = Math.max(full, top, 1e-9);
  const bar = (value, i) => known(value) &&
    s(`rect.${marked && value === top ? "highest" : "column"}`,
      { x: i * each + 1, width: each - 2, y: height * (1 - value / most), height: (height * value) / most },
      s("title", texts[i]));
  const end = (text, i) => s("text.axis", { x: (i + 0.5) * each, y: height + 12, "text-anchor": "middle" }, text);
  const words = marked ? `Highest: ${names[values.indexOf(top)]}` : "All about the same";
  return s("svg.bars", { viewBox: `0 0 ${width} ${height + 16}`, role: "img", "aria-label": words },
    values.map(bar), ends.map(end));
}

/** Servers that reach a critical threshold next, by the week (or day) they first do. */
export function breachBars() {
  const { labels, past } = view.overTime, { counts, title } = view.breaches;
  const width = 420, height = 122, base = height - 20, each = width / counts.length, most = Math.max(...counts);
  const every = Math.ceil(counts.length / 6);
  const bar = (number, i) => {
    const size = (number / most) * (base - 18), middle = (i + 0.5) * each;
    return [
      number > 0 && s("rect.fill-critical", { x: i * each + 2, width: each - 4, y: base - size, height: size, rx: 1.5 }),
      number > 0 && s("text.number", { x: middle, y: base - size - 4, "text-anchor": "middle" }, number),
      i % every === 0 && s("text.axis", { x: middle, y: height - 5, "text-anchor": "middle" }, labels[past + i]),
    ];
  };
  return s("svg.breaches",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: ${counts.join(", ")}` },
    s("line.grid", { x1: 0, x2: width, y1: base, y2: base }), counts.map(bar));
}

/** How much of a band's promise was kept: a track with the promised share marked. */
export function coverBar(measured, wanted) {
  const width = 200;
  return s("svg.cover-bar", { viewBox: `0 0 ${width} 14`, "aria-hidden": "true" },
    s("rect.track", { x: 0, y: 4, width, height: 6, rx: 3 }),
    known(measured) && s("rect.kept", { x: 0, y: 4, width: measured * width, height: 6, rx: 3 }),
    s("line.promised", { x1: wanted * width, x2: wanted * width, y1: 0, y2: 14 }));
}
