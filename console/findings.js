// What the current run found, and what is accepted or snoozed of it (docs/accepting.md).

import { h, readable } from "./dom.js";
import { ask } from "./api.js";
import { badge, button, count, data, field, LEVELS, part, problemBox, say, statusLine, table } from "./ui.js";

const SHOWN = 100;
const DAY = 86_400_000;
// The defaults of the command line.
const DAYS = { accepted: 365, snoozed: 14 };
const LONGEST = 731;

export async function findings({ dataset, signal }) {
  const status = statusLine(), list = h("div"), search = h("input", { type: "search", placeholder: "Server or metric" });
  const which = h("select", [["open", "open"], ["decided", "accepted or snoozed"], ["all", "all"]]
    .map(([value, words]) => h("option", { value }, words)));
  let found = await ask("GET", ["datasets", dataset, "findings"], { signal });
  let most = SHOWN;

  const draw = () => {
    const wanted = search.value.trim().toLowerCase();
    const all = rows(found).filter(({ finding, decision }) =>
      (which.value === "all" || (which.value === "decided") === (decision !== undefined))
      && `${finding.server} ${finding.metric} ${finding.entity || ""}`.toLowerCase().includes(wanted));
    list.replaceChildren(
      h("p.quiet", { role: "status" }, count(all.length, "finding")),
      table("Findings", ["Level", "Server", "Metric", "Kind", "Why", "Decision", ""],
        all.slice(0, most).map((one) => cells(one, decide, undo)), "There is none."),
      all.length > most ? button(`Show ${Math.min(SHOWN, all.length - most)} more`, () => { most += SHOWN; draw(); }) : "");
  };
  const changed = async (words) => {
    found = await ask("GET", ["datasets", dataset, "findings"], { signal });
    draw();
    say(status, words);
    status.scrollIntoView({ block: "nearest" });
  };
  const decide = (finding, state) => dialog(finding, state, async (reason, until) => {
    await ask("POST", ["datasets", dataset, "decisions"], { body: { ...named(finding), state, reason, until } });
    await changed(`${state === "accepted" ? "Accepted" : "Snoozed"} until ${until}: ${words(finding)}. The next run hides it.`);
  });
  const undo = async (finding) => {
    try {
      await ask("POST", ["datasets", dataset, "decisions", "undo"], { body: named(finding) });
      await changed(`Open again: ${words(finding)}. The next run tells of it.`);
    } catch (error) {
      say(status, error);
    }
  };
  search.addEventListener("input", () => { most = SHOWN; draw(); });
  which.addEventListener("change", () => { most = SHOWN; draw(); });
  draw();
  const broken = found.problems.length
    ? problemBox(Object.assign(new Error("The file of decisions cannot be used, so nothing is hidden:"), { lines: found.problems }))
    : null;
  return [
    h("p.quiet", "Of run ", h("code", found.run_id)), broken,
    part("Findings", h("div.row", field("Search", search), field("Show", which)), status, list),
  ];
}

/** Findings, the most urgent first as the API has them, then decisions on what is not found now. */
function rows({ findings, decisions }) {
  const known = new Map(decisions.map((one) => [key(one), one]));
  const listed = findings.map((finding) => ({ finding, decision: known.get(key(finding)), found: true }));
  for (const { finding } of listed) known.delete(key(finding));
  return [...listed, ...[...known.values()].map((decision) => ({ finding: decision, decision, found: false }))];
}

function cells({ finding, decision, found }, decide, undo) {
  const about = words(finding);
  const act = (text, does) => button(text, does, { "aria-label": `${text} ${about}` });
  return [
    LEVELS.includes(finding.level) ? badge(finding.level) : "–",
    data(finding.server),
    data(finding.entity ? `${finding.metric} ${finding.entity}` : finding.metric),
    readable(finding.kind),
    found ? data(finding.reason) : h("span.quiet", "not found now"),
    decision ? h("span", `${decision.state} until ${decision.until} by `, data(decision.by), ": ", data(decision.reason)) : "open",
    h("div.actions", decision ? act("Undo", () => undo(finding))
      : [act("Accept", () => decide(finding, "accepted")), act("Snooze", () => decide(finding, "snoozed"))]),
  ];
}

function dialog(finding, state, decided) {
  const until = new Date(Date.now() + DAYS[state] * DAY).toISOString().slice(0, 10);
  const last = new Date(Date.now() + LONGEST * DAY).toISOString().slice(0, 10);
  const reason = h("textarea", { rows: 3, maxlength: 500, required: true });
  const day = h("input", { type: "date", value: until, required: true, min: new Date().toISOString().slice(0, 10), max: last });
  const status = statusLine(), verb = state === "accepted" ? "Accept" : "Snooze";
  return new Promise((closed) => {
    const form = h("form", {
      submit: async (event) => {
        event.preventDefault();
        try {
          await decided(reason.value, day.value);
          box.close();
        } catch (error) {
          say(status, error);
        }
      },
    },
      h("h2", { id: "decision" }, `${verb}: `, data(words(finding))),
      field("Why", reason, "Whoever reads the report sees this."),
      field("Hidden until the end of", day, "UTC. It comes back earlier if it gets worse."),
      status,
      h("div.row", h("button.more.main", { type: "submit" }, verb),
        h("button.more", { type: "button", click: () => box.close() }, "Cancel")));
    const box = h("dialog", { "aria-labelledby": "decision", close: () => { box.remove(); closed(); } }, form);
    document.body.append(box);
    box.showModal();
    reason.focus();
  });
}

function named({ server, metric, entity, kind }) {
  return { server, metric, entity: entity || null, kind };
}

function key(one) {
  return JSON.stringify(Object.values(named(one)));
}

function words({ server, metric, entity, kind }) {
  return `${server}, ${metric}${entity ? ` ${entity}` : ""}${kind === "risk" ? "" : `, ${kind}`}`;
}
