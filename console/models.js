// The versions of a dataset's model, and whether runs may score with them.

import { h, readable } from "./dom.js";
import { ask } from "./api.js";
import { button, data, moment, part, say, statusLine, table } from "./ui.js";

const WORDS = { Approved: "approved", Rejected: "rejected", PendingManualApproval: "waits for approval" };

export async function models({ dataset, signal }) {
  const status = statusLine(), list = h("div");
  const draw = async () => {
    const found = await ask("GET", ["datasets", dataset, "models"], { signal });
    list.replaceChildren(table("Models", ["Version", "State", "Error", "Registered", "Run", "About", ""],
      found.map((one) => [
        one.version, WORDS[one.status] || readable(one.status),
        one.relative_mase ? Number(one.relative_mase).toFixed(2) : "–", moment(one.registered_at),
        h("span.run-id", readable(one.run || "–")), data(one.description || "–"),
        h("div.actions",
          one.status === "Approved" ? null : button("Approve", () => change(one, "Approved"), { "aria-label": `Approve version ${one.version}` }),
          one.status === "Rejected" ? null : button("Reject", () => change(one, "Rejected"), { "aria-label": `Reject version ${one.version}` })),
      ]),
      "There is no model yet: the first run trains one."));
  };
  const change = async ({ version }, to) => {
    try {
      await ask("PUT", ["datasets", dataset, "models", String(version)], { body: { status: to } });
      await draw();
      say(status, `Version ${version} is ${WORDS[to]}. That counts from the next run on.`);
    } catch (error) {
      say(status, error);
    }
  };
  await draw();
  return part("Models",
    h("p.intro", "Runs score with the newest approved version. Error is that of its backtest over the error of repeating "
      + "the last season: below 1 is better than that."),
    status, list);
}
