// All datasets that somebody may see, each with its state.

import { h } from "./dom.js";
import { ask } from "./api.js";
import { address, count, data, field, levels, part, table } from "./ui.js";

export async function datasets({ signal }) {
  const found = await ask("GET", ["datasets"], { signal });
  const list = part("What runs, what waits, how results stand", table(
    "Datasets", ["Dataset", "At risk", "State", "Data to", "Servers", "Waiting"],
    found.map((one) => [
      h("a", { href: address("datasets", one.dataset) }, data(one.dataset)),
      levels(one), stateOf(one), (one.as_of || "–").slice(0, 10), one.servers === null ? "–" : one.servers,
      one.waiting ? count(one.waiting, "file") : "none",
    ]),
    "There is no dataset yet: a first file begins one."));
  return [list, part("Another dataset", begin())];
}

/** A dataset begins with its first file; what it may be called the API says. */
function begin() {
  const name = h("input", { required: true, maxlength: 40, autocapitalize: "off", spellcheck: "false" });
  return h("form.row", {
    submit: (event) => {
      event.preventDefault();
      location.hash = address("datasets", name.value.trim(), "upload");
    },
  }, field("Name", name, "lower-case letters, digits and hyphens, such as web or data-centre-2"),
  h("button.more", { type: "submit" }, "Upload a first file"));
}

export function stateOf(one) {
  if (one.running) return h("span.state.is-running", "running");
  return one.failed_at ? h("span.state.is-failed", "the last run failed") : h("span.state", "idle");
}
