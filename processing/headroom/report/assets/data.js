// The values of the report, and the unpacking of what travels deflated.

const json = (id) => JSON.parse(document.getElementById(id).textContent);

export const view = json("view");
export const servers = view.servers;
export const HOURLY = view.frequency === "h";
export const DAY = 86400000;
export const PERIOD = HOURLY ? DAY / 24 : DAY;

const positions = new Map(servers.name.map((name, i) => [name, i]));
const packed = {};

/** Where a server stands in the table; undefined where the report does not hold it. */
export function positionOf(name) {
  return positions.get(name);
}

/** Milliseconds since 1970 of the moment this many periods after the last measured one. */
export function momentOf(step) {
  return view.asOf + step * PERIOD;
}

/** Bytes that were deflated and written in base 64. */
export async function unpacked(text) {
  const deflated = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A server's section without its charts; details.py says what it holds. */
export async function detailOf(server) {
  packed.details = packed.details || json("details");
  return JSON.parse(new TextDecoder().decode(await unpacked(packed.details[server])));
}

/**
 * A server's history and forecast: a list of {metric, history: {first, values}, q50, q05, q10, q90, q95}, or null
 * where the report had no room for them. lines.py says how the bytes are laid out.
 */
export async function seriesOf(server) {
  packed.series = packed.series || json("series");
  if (!packed.series[server]) return null;
  const [content, ...heads] = packed.series[server];
  const bytes = await unpacked(content);
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
