// Building blocks of the page: elements, words for numbers and dates, and the unpacking of series.
// Text from the data reaches the page only through text nodes and attributes, never as markup.

const view = JSON.parse(document.getElementById("view").textContent);
const SVG = "http://www.w3.org/2000/svg";
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const HOURLY = view.frequency === "h";
const DAY = 86400000;
const PERIOD = HOURLY ? DAY / 24 : DAY;

/** An element, such as h("p.note", {title: "…"}, "text", child); null, undefined and false children are left out. */
function h(kind, ...parts) {
  const [tag, ...classes] = kind.split(".");
  return filled(document.createElement(tag), classes, parts);
}

/** The same for SVG. */
function s(kind, ...parts) {
  const [tag, ...classes] = kind.split(".");
  return filled(document.createElementNS(SVG, tag), classes, parts);
}

/** Attributes come first, if any; one that is a function listens to the event of its name. */
function filled(element, classes, [first, ...others]) {
  const hasAttributes = first !== null && typeof first === "object" && Object.getPrototypeOf(first) === Object.prototype;
  for (const [name, value] of Object.entries(hasAttributes ? first : {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  if (classes.length) element.classList.add(...classes);
  const children = (hasAttributes ? others : [first, ...others]).flat(3);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Text from the data as a reader can see it: control and direction characters are shown, not obeyed. */
function readable(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\uFFFD");
}

/** Text from the data, kept from reordering what is around it; numbers stay with their percent signs. */
function prose(text) {
  return h("bdi", readable(known(text) ? text : "").replaceAll(" %", "\u00a0%"));
}

/** A server's name, which may be blank. */
function named(name) {
  return h("bdi", name.trim() ? readable(name) : "(no name)");
}

function known(value) {
  return value !== null && value !== undefined;
}

function count(number) {
  return Math.round(number).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

function plural(number, word, words) {
  return `${count(number)} ${number === 1 ? word : words || word + "s"}`;
}

function money(amount) {
  return `${view.currency} ${count(amount || 0)}`;
}

/** A number with its unit: whole percent, else three significant digits. */
function amount(value, unit) {
  if (!known(value)) return "–";
  if (unit === "%") return `${Math.round(value)} %`;
  return `${Math.abs(value) >= 1000 ? count(value) : Number(value.toPrecision(3))} ${unit}`;
}

/** A change of a metric: of one in percent, in points. */
function change(value, unit) {
  return unit === "%" ? plural(Math.round(value), "point") : amount(value, unit);
}

function share(value) {
  if (!known(value)) return "–";
  if (value > 0 && value < 0.01) return "<\u00a01\u00a0%";
  if (value < 1 && value > 0.99) return ">\u00a099\u00a0%";
  return `${Math.round(value * 100)}\u00a0%`;
}

/** A probability; a forecast is never quite certain. */
function chance(value) {
  return known(value) ? share(Math.min(Math.max(value, 0.001), 0.999)) : "–";
}

/** A key of the data as words. */
function label(text) {
  const words = String(text).replace(/_/g, " ").replace(/\bpeak q50\b/, "expected peak");
  return words.replace(/\bcpu\b/, "CPU").replace(/\bvcpus\b/, "vCPUs").replace(/\bgb\b/, "GB").replace(/\bp(\d\d)\b/, "P$1");
}

function sentence(text) {
  const words = text.replace(/^cpu\b/, "CPU");
  return words && words[0].toUpperCase() + words.slice(1);
}

/** Milliseconds since 1970 of a moment that is so many periods after the last measured one. */
function momentOf(step) {
  return view.asOf + step * PERIOD;
}

function day(moment, withYear) {
  const date = new Date(moment);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}${withYear ? " " + date.getUTCFullYear() : ""}`;
}

/** A moment as precise as the panel: a day, or a day and hour. */
function when(moment) {
  return HOURLY ? `${day(moment)} ${String(new Date(moment).getUTCHours()).padStart(2, "0")}:00` : day(moment);
}

/** So many periods in words. */
function span(steps) {
  if (HOURLY && steps < 48) return plural(steps, "hour");
  return plural(HOURLY ? Math.round(steps / 24) : steps, "day");
}

/** The length of a bucket of view.overTime in words: the word after "a" or "every". */
function stretch() {
  return { 1: "day", 7: "week" }[view.overTime.days] || `${view.overTime.days} days`;
}

/** Remember something for the next time the report is opened; browsers may refuse, and that is fine. */
function remembered(key, value) {
  try {
    if (value === undefined) return localStorage.getItem(key);
    localStorage.setItem(key, value);
  } catch {
    return null;
  }
  return value;
}

let packedSeries = null;

/**
 * A server's history and forecast: a list of {metric, history: {first, values}, q50, q05, q10, q90, q95}, or null
 * where the report had no room for them. page.py says how the bytes are laid out.
 */
async function seriesOf(server) {
  packedSeries = packedSeries || JSON.parse(document.getElementById("series").textContent);
  if (!packedSeries[server]) return null;
  const [packed, ...heads] = packedSeries[server];
  const deflated = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let at = 0;
  const next = (first, length, low, high) => {
    const values = [];
    for (let i = 0, level = 0; i < length; i++) {
      level = (level + bytes[at++]) & 255;
      values.push(level === 255 ? null : low + (level * (high - low)) / 254);
    }
    return { first, values };
  };
  return heads.map(([metric, past, pastLength, future, futureLength, low, high]) => {
    const series = { metric, history: next(past, pastLength, low, high) };
    for (const quantile of ["q50", "q05", "q10", "q90", "q95"]) {
      series[quantile] = next(future, futureLength, low, high);
    }
    return series;
  });
}
