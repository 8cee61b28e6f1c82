// All datasets that somebody may see, each with its state.

import { h } from "./dom.js";
import { ask } from "./api.js";
import { address, count, data, levels, part, table } from "./ui.js";

export async function datasets({ signal }) {
  const found = await ask("GET", ["datasets"], { signal });
  return part("What runs, what waits, how results stand", table(
    "Datasets", ["Dataset", "At risk", "State", "Data to", "Servers", "Waiting"],
    found.map((one) => [
      h("a", { href: address("datasets", one.dataset) }, data(one.dataset)),
      levels(one.levels), stateOf(one), (one.as_of || "–").slice(0, 10), one.servers === null ? "–" : one.servers,
      one.waiting ? count(one.waiting, "file") : "none",
    ]),
    "There is no dataset yet: a first file begins one."));
}

export function stateOf(one) {
  if (one.running) return h("span.state.is-running", "running");
  return one.failed_at ? h("span.state.is-failed", "the last run failed") : h("span.state", "idle");
}
