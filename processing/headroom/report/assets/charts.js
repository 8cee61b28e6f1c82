// The charts that people zoom, read values from and save: plotly draws them, in the colours of report.css.

import { h, known, readable } from "./dom.js";
import { HOURLY, PERIOD, momentOf, servers, unpacked, view } from "./data.js";
import { linkTo } from "./blocks.js";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const NAMES = ["card", "ink", "soft", "line", "accent", "accent-soft", "accent-softer", "history", "critical-ink",
  "warning-ink", ...Array.from({ length: 8 }, (_, i) => `group-${i}`)];
/** Fingers scroll the page; a mouse zooms by dragging. */
const TOUCH = matchMedia("(pointer: coarse)").matches;
const CONFIG = {
  displaylogo: false,
  responsive: false,
  showTips: false,
  doubleClick: "reset",
  displayModeBar: TOUCH ? true : "hover",
  modeBarButtons: [["zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
};

const drawn = new Set();
let loading = null;
let onPaper = false;

/** plotly, unpacked when it is first needed; the page's policy knows it by its hash. */
function plotly() {
  loading = loading || unpacked(document.getElementById("plotly").textContent).then((bytes) => {
    const script = h("script");
    script.textContent = new TextDecoder().decode(bytes);
    document.head.append(script);
    script.remove();
    const library = window.Plotly;
    delete window.Plotly;
    return library;
  });
  return loading;
}

/** The colours of report.css as they are now: of the theme, or of paper. */
function colours() {
  const probe = h(onPaper ? "span.hidden.paper" : "span.hidden");
  document.body.append(probe);
  const entries = NAMES.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(entries);
}

/** plotly reads some markup in texts; what comes from the data is to be read as it is. */
function escaped(text) {
  return readable(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A value with its unit; rounds as amount() of wording.py does. */
export function amount(value, unit) {
  if (!known(value)) return "–";
  if (unit === "%") return `${value.toFixed(0)} %`;
  return `${Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(3))} ${unit}`;
}

const measuredTold = (value, unit) => `measured ${amount(value, unit)}`;
const expectedTold = (value, low, high, unit) =>
  `expected ${amount(value, unit)}, 8 in 10 between ${amount(low, unit)} and ${amount(high, unit)}`;

/** A moment as precise as the panel: a day, or a day and hour. */
function when(moment) {
  const date = new Date(moment), day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
  return HOURLY ? `${day} ${String(date.getUTCHours()).padStart(2, "0")}:00` : day;
}

/** A moment as plotly tells it, milliseconds or "2026-11-21 05:00", both UTC, in milliseconds. */
function millisecondsOf(moment) {
  if (typeof moment === "number") return moment;
  const [day, time = "00:00"] = moment.split(" ");
  return Date.parse(`${day}T${time}Z`);
}

/** Draw into a place as wide as it is, and again when its width, the theme or the medium changes. */
function drawToFit(place, figure, ready) {
  let width = 0, started = null;
  const draw = async () => {
    const library = await plotly();
    if (!place.isConnected) drawn.delete(draw);
    if (!place.isConnected || width === 0) return;
    const { data, layout, config } = figure(width, colours());
    const common = { width, autosize: false, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      uirevision: true, showlegend: false, dragmode: TOUCH ? false : "zoom" };
    await library.react(place, data, { ...common, ...layout }, { ...CONFIG, ...config });
    // On paper the drawing is scaled to the width that is there; see report.css.
    place.style.setProperty("--shape", `${width} / ${layout.height}`);
    place.querySelectorAll(".main-svg").forEach((svg) => svg.setAttribute("viewBox", `0 0 ${width} ${layout.height}`));
    if (ready && !started) ready(library);
    started = true;
  };
  drawn.add(draw);
  new ResizeObserver(() => {
    const now = Math.round(place.clientWidth);
    if (onPaper || now === 0 || Math.abs(now - width) <= 8) return;
    width = now;
    draw();
  }).observe(place);
}

function redraw(paper) {
  onPaper = paper;
  drawn.forEach((draw) => draw());
}

/** Follow the theme and the printer. */
export function followColours() {
  const printing = matchMedia("print");
  printing.addEventListener("change", () => redraw(printing.matches));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw(printing.matches));
  addEventListener("themechange", () => redraw(false));
  addEventListener("beforeprint", () => redraw(true));
  addEventListener("afterprint", () => redraw(false));
}

/** History, forecast bands, thresholds and breach date of one metric as data and layout of plotly. */
function forecastFigure({ history, q50, q05, q10, q90, q95, metric }, thresholds, mark, width, ink) {
  const { unit } = view.metrics[metric], isWide = width > 480;
  const moments = (part) => part.values.map((_, i) => momentOf(part.first + i));
  const line = (part, name, colour, size, texts) => ({
    type: "scatter", mode: "lines", name, x: moments(part), y: part.values, line: { color: colour, width: size },
    text: texts, hovertemplate: "%{text}<extra></extra>",
  });
  const edge = (part, more) => ({
    type: "scatter", mode: "lines", x: moments(part), y: part.values, line: { width: 0 }, hoverinfo: "skip", ...more,
  });
  const fill = { fill: "tonexty", fillcolor: ink["accent-soft"] };
  const measured = history.values.map((value) => measuredTold(value, unit));
  const expected = q50.values.map((value, i) => expectedTold(value, q10.values[i], q90.values[i], unit));
  const lone = history.values.map((value, i) =>
    known(value) && !known(history.values[i - 1]) && !known(history.values[i + 1]) ? value : null);
  const data = [
    edge(q05), edge(q95, fill), edge(q10), edge(q90, fill),
    line(history, "measured", ink.history, 1.4, measured),
    line(q50, "expected", ink.accent, 1.9, expected),
    { ...edge({ ...history, values: lone }), mode: "markers", marker: { size: 3, color: ink.history } },
  ];

  const spans = [history, q50].filter((part) => part.values.length);
  const first = momentOf(Math.min(...spans.map((part) => part.first)));
  const last = momentOf(Math.max(...spans.map((part) => part.first + part.values.length - 1)));
  const critical = thresholds ? thresholds[1].at : 0;
  const highest = Math.max(...[...history.values, ...q95.values].filter(known), critical * 1.05, unit === "%" ? 100 : 1e-9);
  const now = momentOf(0.5), margin = { l: 44, r: thresholds && isWide ? 88 : 12, t: TOUCH ? 44 : 20, b: 40 };
  const upright = (at, colour, more) => ({ type: "line", x0: at, x1: at, yref: "paper", y0: 0, y1: 1,
    line: { color: colour, width: 1, dash: "dot", ...more } });
  const shapes = [
    { type: "rect", x0: now, x1: last, yref: "paper", y0: 0, y1: 1, line: { width: 0 }, fillcolor: ink["accent-softer"],
      layer: "below" },
    upright(now, ink.soft),
  ];
  const small = { size: 11.5, color: ink.soft };
  const note = (text, x, y, xanchor, yanchor, more) => ({ text, x, y, xanchor, yanchor, showarrow: false, font: small, ...more });
  const annotations = [
    note("measured", now, 1, "right", "bottom", { yref: "paper", xshift: -3 }),
    note("forecast", now, 1, "left", "bottom", { yref: "paper", xshift: 3 }),
  ];
  for (const { name, at, text } of thresholds || []) {
    const colour = ink[`${name}-ink`], font = { ...small, color: colour };
    shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: at, y1: at,
      line: { color: colour, width: 1.2, dash: name === "warning" ? "dash" : "solid" } });
    annotations.push(isWide ? note(text, 1, at, "left", "middle", { xref: "paper", xshift: 4, font })
      : note(text, 0, at, "left", "bottom", { xref: "paper", font, bgcolor: ink.card, opacity: 0.85 }));
  }
  if (mark) {
    const at = momentOf(mark.at), colour = ink["critical-ink"];
    const room = (1 - (at - first) / (last - first)) * (width - margin.l - margin.r), flip = room < (HOURLY ? 160 : 115);
    if (known(mark.earliest)) {
      const until = known(mark.latest) ? momentOf(mark.latest) : last;
      shapes.push({ type: "line", x0: momentOf(mark.earliest), x1: until, yref: "paper", y0: 0.01, y1: 0.01, opacity: 0.55,
        line: { color: colour, width: 4 } });
    }
    shapes.push(upright(at, colour, { width: 1.2, dash: "dash" }));
    annotations.push(note(mark.text, at, 0.04, flip ? "right" : "left", "bottom", { yref: "paper",
      xshift: flip ? -4 : 4, font: { size: 12.5, color: colour, weight: 700 },
      bgcolor: ink.card, opacity: 0.92 }));
  }
  const axis = { tickfont: small, gridcolor: ink.line, linecolor: ink.line, zeroline: false };
  return {
    data,
    layout: {
      height: TOUCH ? 268 : 244,
      margin,
      font: { family: getComputedStyle(document.body).fontFamily, color: ink.soft },
      hovermode: "x unified",
      hoverlabel: { bgcolor: ink.card, bordercolor: ink.line, font: { color: ink.ink, size: 12.5 } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: ink.soft, activecolor: ink.ink },
      xaxis: { ...axis, type: "date", range: [first, last], showgrid: false, ticks: "outside", tickcolor: ink.soft,
        spikecolor: ink.soft, spikethickness: 1, spikedash: "solid",
        nticks: Math.max(2, Math.floor(width / 95)), hoverformat: HOURLY ? "%-d %b %Y %H:%M" : "%-d %b %Y",
        tickformatstops: [
          { dtickrange: [null, 43200000], value: "%H:%M\n%-d %b" },
          { dtickrange: [43200000, "M1"], value: "%-d %b\n%Y" },
          { dtickrange: ["M1", null], value: "%b\n%Y" },
        ] },
      yaxis: { ...axis, range: [0, highest * 1.02], fixedrange: true,
        ...(unit === "%" ? { tickvals: [0, 25, 50, 75, 100], ticktext: ["0 %", "25 %", "50 %", "75 %", "100 %"] } : { nticks: 5, tickformat: highest < 1e5 ? "~r" : "~s" }) },
      shapes,
      annotations,
    },
  };
}

/**
 * The chart of a metric, and a line of text above it: under the pointer, or with the arrow keys, it reads out the
 * values of a moment; plus and minus zoom, and Escape shows all again.
 */
export function forecastChart(series, { title, summary, mark, thresholds }, server) {
  const limits = thresholds === undefined ? view.metrics[series.metric].thresholds : thresholds;
  const { history, q50, q10, q90 } = series, { unit } = view.metrics[series.metric];
  const spans = [history, q50].filter((part) => part.values.length);
  const first = Math.min(...spans.map((part) => part.first));
  const last = Math.max(...spans.map((part) => part.first + part.values.length - 1));
  const readout = h("p.readout", { "aria-live": "polite" }, summary);
  const valueAt = (part, step) => part.values[step - part.first];
  let library = null, place = 0;

  const readOut = (step) => {
    place = Math.max(first, Math.min(last, Math.round(step)));
    const measured = valueAt(history, place), expected = valueAt(q50, place);
    const told = known(expected) ? expectedTold(expected, valueAt(q10, place), valueAt(q90, place), unit)
      : known(measured) ? measuredTold(measured, unit) : "no value";
    readout.textContent = `${when(momentOf(place))}: ${told}`;
  };
  const point = () => {
    const [curveNumber, part] = place > 0 ? [5, q50] : [4, history];
    if (library && known(valueAt(part, place))) library.Fx.hover(chart, [{ curveNumber, pointNumber: place - part.first }]);
  };
  const show = (from, to) =>
    library.relayout(chart, { "xaxis.range": [Math.max(momentOf(first), from), Math.min(momentOf(last), to)] });
  const zoom = (by) => {
    const [from, to] = chart.layout.xaxis.range.map(millisecondsOf), reach = ((to - from) / 2) * by;
    show(momentOf(place) - reach, momentOf(place) + reach);
  };
  const keys = {
    ArrowLeft: () => readOut(place - 1), ArrowRight: () => readOut(place + 1), PageUp: () => readOut(place - 7),
    PageDown: () => readOut(place + 7), "+": () => zoom(0.5), "-": () => zoom(2),
    Escape: () => show(momentOf(first), momentOf(last)),
  };
  const chart = h("div.chart", {
    tabindex: 0,
    role: "img",
    "aria-label": `${title}: history and forecast. ${summary}. Arrow keys read out values; plus and minus zoom.`,
    keydown: (event) => {
      if (!keys[event.key] || !library || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      keys[event.key]();
      point();
    },
  });
  const file = `${server} ${title}`.replace(/[^\w-]+/g, "-").slice(0, 80);
  const config = { toImageButtonOptions: { filename: file, scale: 2 } };
  drawToFit(chart, (width, ink) => ({ ...forecastFigure(series, limits, mark, width, ink), config }), (loaded) => {
    library = loaded;
    chart.classList.add("is-drawn");
    chart.on("plotly_hover", ({ points: [{ x }] }) => readOut((millisecondsOf(x) - view.asOf) / PERIOD));
    chart.on("plotly_unhover", () => { readout.textContent = summary; });
  });
  return [readout, chart];
}

/** The cluster map; each point opens its server. page.py found the places of the names. */
export function clusterMap() {
  const { points, names, dot, shape } = view.map;
  const of = (rank) => points.filter((point) => point[2] === rank);
  const figure = (width, ink) => {
    const colour = (rank) => ink[`group-${rank % 8}`];
    const trace = ({ name }, rank) => ({
      type: "scatter", mode: "markers", x: of(rank).map((point) => point[0]), y: of(rank).map((point) => point[1]),
      text: of(rank).map((point) => escaped(servers.name[point[3]])), customdata: of(rank).map((point) => point[3]),
      marker: { color: colour(rank), opacity: 0.75, size: Math.max(4, 0.9 * dot * width) },
      hovertemplate: `%{text}<br>${escaped(name)}<extra></extra>`,
      hoverlabel: { bgcolor: ink.card, bordercolor: colour(rank), font: { color: ink.ink, size: 12.5 } },
    });
    const title = ({ name }, rank) => ({
      x: names[rank][0], y: names[rank][1], showarrow: false, text: escaped(name), bgcolor: ink.card, opacity: 0.92,
      borderpad: 1, font: { size: width < 640 ? 12 : 13, color: colour(rank), weight: 700 },
    });
    const leader = (_, rank) => {
      const [x, y, toX, toY] = names[rank];
      return { type: "line", x0: x, y0: y, x1: toX, y1: toY, opacity: 0.6, line: { color: colour(rank), width: 1 }, layer: "below" };
    };
    const axis = { range: [0, 1000], visible: false };
    const isWide = width > 480;
    return {
      data: view.profiles.map(trace),
      layout: {
        height: Math.round(width * shape),
        margin: { l: 0, r: 0, t: 0, b: 0 },
        font: { family: getComputedStyle(document.body).fontFamily },
        hovermode: "closest",
        modebar: { bgcolor: "rgba(0,0,0,0)", color: ink.soft, activecolor: ink.ink },
        xaxis: axis,
        yaxis: axis,
        shapes: isWide ? view.profiles.map(leader) : [],
        annotations: isWide ? view.profiles.map(title) : [],
      },
      config: { toImageButtonOptions: { filename: "servers-that-behave-alike", scale: 2 } },
    };
  };
  const map = h("div.map", {
    role: "img", "aria-label": "Map of servers: those close together use their capacity alike. The groups are listed beside it.",
  });
  // After the table is there: plotly takes a while to unpack, and the map is far down the page.
  const later = window.requestIdleCallback || ((call) => setTimeout(call, 200));
  later(() => drawToFit(map, figure, () => {
    map.on("plotly_click", ({ points: [point] }) => { location.hash = linkTo(servers.name[point.customdata]); });
  }));
  return map;
}
