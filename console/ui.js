// What the views are made of. Text from the data becomes text nodes only (dom.js).

import { h, known, readable } from "./dom.js";

export const LEVELS = ["critical", "high", "medium", "low", "none"];

/** Text from the data. */
export function data(text) {
  return h("bdi", readable(text));
}

/** A moment of the API (ISO 8601) in UTC, as reports and mails have it. */
export function moment(text) {
  if (!text) return "–";
  const found = new Date(text);
  return Number.isNaN(found.getTime()) ? readable(text) : `${found.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** A length of time, "45 s", "3 min 20 s". */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  return whole < 3600 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${(whole / 3600).toFixed(1)} h`;
}

export function count(number, word) {
  return `${number.toLocaleString("en-US")} ${word}${number === 1 ? "" : "s"}`;
}

export function badge(level) {
  return h(`span.badge.level-${LEVELS.includes(level) ? level : "none"}`, readable(level));
}

/** Servers by level, those at risk only; where there are none, the words of the run. */
export function levels({ levels: counts, headline }) {
  if (!counts) return h("span.quiet", "no results yet");
  const risky = LEVELS.slice(0, 3).filter((level) => counts[level]);
  if (!risky.length) return h("span", headline || "–");
  return h("span.badges", risky.map((level) => h(`span.badge.level-${level}`, `${counts[level]} ${level}`)));
}

/** A part of a view: a titled card. */
export function part(title, ...content) {
  const id = `part-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return h("section.part", { "aria-labelledby": id }, h("h2", { id }, title), content);
}

/** A table; on a phone each row is a card. The roles keep it a table for screen readers there. */
export function table(caption, headings, rows, nothing) {
  if (!rows.length) return h("p.quiet", nothing);
  return h("table.plain.cards", { role: "table", "aria-label": caption },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
      headings.map((text) => h("th", { role: "columnheader", scope: "col" }, text)))),
    h("tbody", { role: "rowgroup" }, rows.map((cells) => h("tr", { role: "row" }, cells.map((cell, i) =>
      h("td", { role: "cell", "data-label": headings[i] }, known(cell) && cell !== "" ? cell : "–"))))));
}

/** A line that is read out when it changes. */
export function statusLine() {
  return h("p.says", { role: "status" });
}

/** Say something in a status line: words, or a Problem with its lines. */
export function say(line, what, good = true) {
  line.className = `says ${what instanceof Error || !good ? "is-bad" : what ? "is-good" : ""}`;
  line.replaceChildren(...(what instanceof Error ? problemText(what) : [what]));
}

function problemText(problem) {
  const lines = problem.lines || [];
  const text = [readable(problem.message)];
  return lines.length ? [...text, h("ul", lines.map((one) => h("li", readable(one))))] : text;
}

/** What is shown where a view cannot be. */
export function problemBox(problem) {
  return h("div.warn", { role: "alert" }, h("p", problemText(problem)));
}

/** A button that can only be pressed again when what it began has ended. */
export function button(text, act, attributes = {}) {
  const made = h("button", {
    type: "button",
    class: "more",
    ...attributes,
    click: async () => {
      const focused = document.activeElement === made;
      made.disabled = true;
      try {
        await act();
      } finally {
        made.disabled = false;
        // A disabled button loses the focus: whoever came by keyboard would begin at the top again.
        if (focused && document.activeElement === document.body) made.focus();
      }
    },
  }, text);
  return made;
}

/** A labelled field. */
export function field(label, control, hint) {
  return h("label.field", h("span", label), hint ? h("small", hint) : null, control);
}

export function address(...parts) {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

/** Wait, unless the view is left meanwhile. */
export function pause(seconds, signal) {
  return new Promise((done, left) => {
    const timer = setTimeout(done, 1000 * seconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      left(new DOMException("left", "AbortError"));
    }, { once: true });
  });
}
