// One dataset: how its results stand, its run followed live, a start, and its runs.

import { h, readable } from "./dom.js";
import { ask } from "./api.js";
import { address, button, count, duration, field, levels, moment, part, pause, problemBox, say, statusLine, table } from "./ui.js";
import { stateOf } from "./datasets.js";

const EVERY = 4;
const ENDED = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"];
const BADLY = ENDED.slice(1);
const LINES = 200;
const JOBS = ["preprocess", "train", "assess"];
const MODES = { auto: "automatic (train if due)", score: "score only", train: "train a new model" };

export async function overview({ dataset, signal }) {
  const status = statusLine(), facts = h("div"), live = h("div.live", { hidden: true }), history = h("div");
  const unanswered = h("p.quiet", { role: "status" });
  const get = async (...path) => {
    const found = await ask("GET", ["datasets", dataset, ...path], { signal });
    unanswered.textContent = "";
    return found;
  };
  let shown;
  const look = async () => {
    const now = await get();
    facts.replaceChildren(standing(dataset, now));
    const about = JSON.stringify([now.current_run, now.running, now.failed_at]);
    if (about !== shown) {
      history.replaceChildren(runTable(dataset, await get("runs")));
      shown = about;
    }
    return now;
  };
  let now;
  try {
    now = await look();
  } catch (error) {
    if (error.status !== 404) throw error;
    appear(look, signal);
    return [problemBox(error), h("p.quiet", "A first file is taken in within a minute. This page looks again by itself.")];
  }
  const run = runBox(dataset, live, status, get, signal);
  watch(now, look, run, status, signal, unanswered);
  return [facts, part("Now", live, run.answer, status, unanswered, starter(dataset)), part("Runs", history)];
}

/** Show the dataset as soon as there is one. */
async function appear(look, signal) {
  for (;;) {
    try {
      await pause(EVERY, signal);
      await look();
      dispatchEvent(new Event("hashchange"));
      return;
    } catch (error) {
      if (error.status !== 404 && !passing(error)) return;
    }
  }
}

function standing(dataset, one) {
  return h("ul.facts",
    one.current_run
      ? h("li", levels(one), h("span", h("a", { href: address("datasets", dataset, "report") }, "the current report")))
      : h("li", h("strong", "–"), h("span", "no run is published yet")),
    h("li", h("strong", (one.as_of || "–").slice(0, 10)), h("span", "data to")),
    h("li", h("strong", one.servers === null ? "–" : one.servers.toLocaleString("en-US")), h("span", "servers")),
    h("li", h("strong", one.waiting), h("span", one.waiting === 1 ? "file waits" : "files wait")),
    h("li", h("strong", one.set_aside), h("span", "set aside")),
    h("li", h("strong", stateOf(one)), h("span", one.failed_at ? moment(one.failed_at) : "state")));
}

/** Look again and again, while somebody looks: a run that begins, here or elsewhere, is followed to its end. */
async function watch(now, look, run, status, signal, unanswered) {
  for (let recalled = false;;) {
    try {
      if (!recalled && !now.running && now.last_execution) await run.recall(now.last_execution);
      recalled = true;
      // A run that was redriven here may be over before anybody looks at the dataset again.
      const execution = run.redriven ?? now.running;
      // A run that has ended keeps the dataset for a moment.
      if (!execution) run.ended = null;
      else if (execution !== run.ended && await run.follow(execution)) {
        Object.assign(run, { ended: execution, redriven: null });
        now = await look(); // its results are there
      }
      await pause(EVERY, signal);
      if (!document.hidden) now = await look();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!passing(error)) {
        say(status, error);
        return;
      }
      unanswered.textContent = `${error.message} This page asks again by itself.`;
      try {
        await pause(EVERY, signal);
      } catch {
        return; // the view was left
      }
    }
  }
}

/** Whether asking again may help: no answer, too many questions, or a fault of the other side. */
function passing({ status }) {
  return status === 0 || status === 429 || status >= 500;
}

/** A run as it goes: its states, what its job writes, why it failed, and a way to go on with it. */
function runBox(dataset, live, status, get, signal) {
  const list = h("ol.steps"), log = logBox(dataset, signal), actions = h("div.row"), answer = statusLine();
  const run = { ended: null, redriven: null, answer, follow, recall };
  let shown = null;

  function show(execution, found) {
    if (shown !== execution) {
      say(answer, "");
      live.replaceChildren(h("p", h("b", "Run "), h("code", readable(execution))), list, log.box, actions);
      shown = execution;
    }
    live.hidden = false;
    list.replaceChildren(...found.steps.map(step));
    const again = BADLY.includes(found.status) && found.no_redrive === null
      ? button("Redrive this run", () => redrive(execution)) : null;
    // The same button stays: whoever has come to it by keyboard must not lose it.
    if (Boolean(again) !== Boolean(actions.firstChild)) actions.replaceChildren(...(again ? [again] : []));
  }

  async function fetched(execution) {
    try {
      return await get("executions", execution);
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }

  /** Follow an execution to its end; only a new state is read out. False where it has not begun. */
  async function follow(execution) {
    for (let told = "";;) {
      const found = await fetched(execution);
      if (!found) return false;
      show(execution, found);
      await log.read(execution);
      if (ENDED.includes(found.status)) {
        say(status, ending(found), found.status === "SUCCEEDED");
        return true;
      }
      const words = found.steps.length ? `${found.steps.at(-1).name} is under way.` : "";
      if (words !== told) say(status, told = words);
      await pause(EVERY, signal);
    }
  }

  /** Show the last run if it failed before anybody looked. */
  async function recall(execution) {
    const found = await fetched(execution);
    if (!found || !BADLY.includes(found.status)) return;
    show(execution, found);
    say(status, ending(found), false);
    await log.read(execution);
  }

  /** What it is answered has a line of its own: the run that is followed then speaks in the other. */
  async function redrive(execution) {
    say(answer, "Redriving …");
    try {
      await ask("POST", ["datasets", dataset, "executions", execution, "redrive"], { signal });
      Object.assign(run, { ended: null, redriven: execution });
      say(answer, "Redriven: it goes on where it failed.");
      say(status, "");
    } catch (error) {
      say(answer, error);
    }
  }

  return run;
}

/** What a run's jobs write: of the newest, or of one that is chosen; read again for as long as it is open. */
function logBox(dataset, signal) {
  const text = h("pre.log", { tabindex: "0", role: "region", "aria-label": "Log" });
  const about = h("p.quiet");
  const which = h("select", { change: () => read() }, h("option", { value: "" }, "the newest job"),
    JOBS.map((job) => h("option", { value: job }, job)));
  const box = h("details.fold", { open: true, toggle: () => read() },
    h("summary", "What its jobs write"), field("Job", which), about, text);
  let execution = null;

  async function read(of = execution) {
    execution = of;
    if (!box.open || !execution || signal.aborted) return;
    try {
      const query = { most: LINES, ...(which.value ? { job: which.value } : {}) };
      const found = await ask("GET", ["datasets", dataset, "executions", execution, "log"], { query, signal });
      const below = text.scrollHeight - text.scrollTop - text.clientHeight < 30;
      about.textContent = found.name ? readable(found.name) : "Nothing is written yet.";
      text.textContent = found.lines.map(readable).join("\n");
      if (below) text.scrollTop = text.scrollHeight; // whoever reads further up stays there
    } catch (error) {
      if (error.name === "AbortError") return;
      about.textContent = `The log cannot be read: ${readable(error.message)}`;
    }
  }

  return { box, read };
}

function ending(found) {
  if (found.status === "SUCCEEDED") return `The run has ended: ${readable(found.result || "done")}.`;
  const job = found.job ? `\nThe job was ${readable(found.job)}.` : "";
  const next = found.no_redrive ? `It cannot be redriven: ${readable(found.no_redrive)}.`
    : "When the cause is mended, redrive it: it goes on at the job that failed, with the same files and settings.";
  return `The run has ended ${found.status}: ${readable(found.reason || "")}${job}\n${next}`;
}

function step(one) {
  const seconds = ((one.ended ? new Date(one.ended) : new Date()) - new Date(one.began)) / 1000;
  const state = one.failed ? "failed" : one.ended ? "done" : "under way";
  return h(`li.step.is-${state.replace(" ", "-")}`, h("b", readable(one.name)), " ",
    h("span.quiet", `${duration(seconds)}, ${state}`));
}

/** What a start is answered has a line of its own, too. */
function starter(dataset) {
  const answer = statusLine();
  const mode = h("select", { name: "mode" }, Object.entries(MODES).map(([value, words]) => h("option", { value }, words)));
  const go = button("Start a run", async () => {
    say(answer, "Starting …");
    try {
      const { execution } = await ask("POST", ["datasets", dataset, "runs"], {
        body: { mode: mode.value }, headers: { "Idempotency-Key": crypto.randomUUID() },
      });
      say(answer, `Started: ${execution}.`);
    } catch (error) {
      say(answer, error);
    }
  });
  return h("div", h("div.row", field("Mode", mode), go), answer);
}

function runTable(dataset, runs) {
  return table("Runs", ["Run", "State", "Began", "Mode", "Model", "Files", "At risk", "Cost estimate"],
    runs.map((one) => [
      h("span.run-id", one.state === "not finished" ? readable(one.run_id)
        : h("a", { href: address("datasets", dataset, "report", one.run_id) }, readable(one.run_id))),
      one.state, moment(one.created_at), one.mode || "–", one.train ? `trained (${readable(one.train_reason || "")})` : "scored",
      count(one.files, "file"), levels(one), readable(one.cost_estimate || "–").split(" (")[0],
    ]),
    "There is no run yet: upload a file, which starts one.");
}
