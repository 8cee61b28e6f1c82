// Lays out the blocks of a section, see blocks.py: what they say is decided and phrased there.

import { h, known, named, prose, readable } from "./dom.js";
import { positionOf } from "./data.js";
import { bars, coverBar } from "./drawing.js";

const AT_ONCE = 25;

export function linkTo(name) {
  return "#server=" + encodeURIComponent(name);
}

/** A server's name, or other words, as a link to its section; as text where the report does not hold it. */
export function serverLink(name, text) {
  const words = text ? readable(text) : named(name);
  if (!known(positionOf(name))) return h("span.server", { title: readable(name) }, words);
  // A link to where the page already is changes nothing by itself.
  const again = (event) => event.currentTarget.hash === location.hash && dispatchEvent(new Event("hashchange"));
  return h(text ? "a" : "a.server", { title: readable(name), href: linkTo(name), click: again }, words);
}

/** A text of blocks.py as nodes. */
export function words(text) {
  if (!known(text)) return [];
  if (typeof text === "string") return text ? [prose(text)] : [];
  if (Array.isArray(text)) return text.flatMap(words);
  if (known(text.server)) return [serverLink(text.server, text.text)];
  const inside = words(text.text);
  return inside.length ? [h(text.as, { class: text.class }, inside)] : [];
}

/** A list of terms and what they are. */
export function facts({ facts: entries, class: kind }) {
  return h(`dl.${kind}`, entries.map(([term, value]) => h("div", h("dt", words(term)), h("dd", words(value)))));
}

/** Items a page at a time: fills the container and gives the button that shows more. `grow(n)` shows at least n. */
export function growing(container, items, draw, of, step = AT_ONCE) {
  let shown = 0;
  const button = h("button.more", { type: "button", click: () => grow() }), onPaper = h("p.on-paper");
  const grow = (least = 0) => {
    const next = items.slice(shown, Math.max(shown + step, least));
    container.append(...next.flatMap(draw));
    shown += next.length;
    const left = items.length - shown;
    button.hidden = onPaper.hidden = left === 0;
    onPaper.textContent = `${left.toLocaleString("en")} more ${of}, not printed here, are in the file this was printed from.`;
    const more = `${left.toLocaleString("en")} more`;
    button.textContent = left > step ? `Show ${step} of ${more} ${of}` : `Show ${more}`;
  };
  grow();
  return { more: h("div", button, onPaper), grow, shown: () => shown };
}

/** A frame that wide tables scroll in. */
export function scrolling(name, content) {
  return h("div.scroll", { tabindex: 0, role: "region", "aria-label": name }, content);
}

function table({ table: caption, columns, rows, shown, of }) {
  const body = h("tbody");
  const row = (cells) => [h("tr", cells.map((cell, i) => h("td", { class: columns[i][1] }, words(cell))))];
  const head = columns.map(([title, kind]) => h("th", { scope: "col", class: kind }, title));
  const more = growing(body, rows, row, of, shown || Infinity).more;
  const kind = shown ? "caption.hidden" : "caption";
  return [scrolling(caption, h("table.plain", h(kind, caption), h("thead", h("tr", head)), body)), more];
}

function share([name, kind, value, told]) {
  const bar = h("span.share-bar", { "aria-hidden": "true" });
  bar.style.width = `${Math.min(100, value * 100)}%`;
  return h("li", h("span", words(name), " ", h("span.quiet", words(kind))), h("span.share-track", bar), h("b", told));
}

const KINDS = {
  paragraph: ({ paragraph, class: kind }) => h("p", { class: kind }, words(paragraph)),
  list: ({ list, class: kind }) => h(`ul.${kind}`, list.map((item) => h("li", words(item)))),
  warning: ({ warning, items }) => h("div.warn", h("strong", warning), h("ul", items.map((item) => h("li", words(item))))),
  figures: ({ figures }) => h("ul.facts.small", figures.map(([value, what]) => h("li", h("strong", value), h("span", what)))),
  facts,
  table,
  fold: ({ fold, content }) => h("details.fold", h("summary", fold), lay(content)),
  article: ({ article, content, class: kind }) => h("article", { class: kind }, h("h3", words(article)), lay(content)),
  grid: ({ grid, class: kind }) => h(`div.${kind}`, lay(grid)),
  bars: (block) => h("figure", h("figcaption", block.bars), bars(block)),
  covers: ({ covers, bands, note }) => h("div.covers", h("p", covers),
    bands.map(([name, measured, wanted, told]) =>
      h("div.cover", h("span", name), coverBar(measured, wanted), h("b", told))),
    note && h("p.quiet", note)),
  shares: ({ shares }) => h("ul.shares", shares.map(share)),
  since: ({ since, facts: entries }) => h("div.since", words(since),
    h("dl", entries.map(([term, value]) => h("div", h("dt", words(term)), h("dd", words(value)))))),
};

/** The elements of blocks; `drawn` gives those that a module of its own lays out, by name. */
export function lay(blocks, drawn = {}) {
  return blocks.flatMap((block) => {
    const [kind] = Object.keys(block);
    return kind === "drawn" ? drawn[block.drawn]() : KINDS[kind](block);
  });
}
