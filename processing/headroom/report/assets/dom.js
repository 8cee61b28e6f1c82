// Elements. Text from the data reaches the page only through text nodes and attributes, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element, such as h("p.note", {title: "…"}, "text", child); null, undefined and false children are left out. */
export function h(kind, ...parts) {
  const [tag, ...classes] = kind.split(".");
  return filled(document.createElement(tag), classes, parts);
}

/** The same for SVG. */
export function s(kind, ...parts) {
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
  if (classes.length) element.classList.add(...classes.filter((name) => name));
  const children = (hasAttributes ? others : [first, ...others]).flat(3);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function known(value) {
  return value !== null && value !== undefined;
}

/** Text from the data as a reader can see it: control and direction characters are shown, not obeyed. */
export function readable(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\uFFFD");
}

/** Text from the data, kept from reordering what is around it; numbers stay with their percent signs. */
export function prose(text) {
  return h("bdi", readable(text).replaceAll(" %", "\u00a0%"));
}

/** A server's name, which may be blank. */
export function named(name) {
  return h("bdi", name.trim() ? readable(name) : "(no name)");
}

/** Remember something for the next time the report is opened; browsers may refuse, and that is fine. */
export function remembered(key, value) {
  try {
    if (value === undefined) return localStorage.getItem(key);
    localStorage.setItem(key, value);
  } catch {
    return null;
  }
  return value;
}
