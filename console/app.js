// The frame: which view an address shows, who is signed in, and what is said where a view cannot be shown.

import { h, readable } from "./dom.js";
import { themeButton } from "./theme.js";
import { arrive, begin, forget, how, token } from "./signin.js";
import { address, problemBox } from "./ui.js";
import { datasets } from "./datasets.js";
import { overview } from "./overview.js";
import { findings } from "./findings.js";
import { models } from "./models.js";
import { settings } from "./settings.js";
import { report } from "./report.js";
import { upload } from "./upload.js";

const VIEWS = { overview, upload, findings, report, models, settings };
const TABS = {
  overview: "Overview", upload: "Upload", findings: "Findings", report: "Report", models: "Models", settings: "Settings",
};

const tabs = h("div.links");
const out = h("button", { type: "button", hidden: true, click: signOut }, "Sign out");
const main = h("main", { id: "content", tabindex: "-1" });
let leave = new AbortController();

/** The address as a place: #/ is all datasets, #/datasets/web/findings a view of one, with what follows it. */
function place() {
  let parts;
  try {
    parts = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  } catch {
    parts = [];
  }
  const [kind, dataset, view, ...more] = parts;
  if (kind !== "datasets" || !dataset) return { view: datasets };
  return { view: VIEWS[view || "overview"] || null, name: view || "overview", dataset, more };
}

async function show() {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const { view, name, dataset, more } = place();
  document.title = dataset ? `${readable(dataset)}: ${TABS[name] || name} · Headroom` : "Headroom";
  document.body.classList.toggle("is-report", name === "report");
  tabs.replaceChildren(...(dataset ? Object.entries(TABS).map(([one, title]) => h("a", {
    href: one === "overview" ? address("datasets", dataset) : address("datasets", dataset, one),
    "aria-current": one === name ? "page" : null,
  }, title)) : []));
  out.hidden = !token();
  const heading = h("h1", dataset ? h("bdi", readable(dataset)) : "Datasets");
  main.replaceChildren(heading, h("p.quiet", { role: "status" }, "Loading …"));
  try {
    if (!token()) return await signIn();
    if (view === null) throw new Error("There is no such view: choose one above.");
    const content = await view({ dataset, more, signal });
    if (!signal.aborted) main.replaceChildren(heading, ...[content].flat().filter((one) => one));
  } catch (error) {
    if (signal.aborted || error.name === "AbortError") return;
    if (error.signedOut) await signIn("Your sign-in has ended.");
    else main.replaceChildren(heading, problemBox(error));
  }
}

async function signIn(why = "") {
  forget();
  out.hidden = true;
  const found = await how();
  const told = found.by === "openid"
    ? [h("p", why || "Sign in to see your datasets."),
      h("p", h("button.more.main", { type: "button", click: () => begin(found) }, "Sign in"))]
    : [h("p", why || "This page was opened without a key."),
      h("p", "Run ", h("code", "headroom page"), " in a terminal: it signs your requests with your AWS credentials.")];
  main.replaceChildren(h("h1", "Sign in"), h("section.part", told));
}

function signOut() {
  forget();
  show();
}

document.getElementById("page").append(
  h("a.skip", { href: "#content", click: (event) => { event.preventDefault(); main.focus(); } }, "Skip to the content"),
  h("nav.bar", { "aria-label": "Views" }, h("a.brand", { href: "#/" }, "Headroom"), tabs,
    h("div.buttons", out, themeButton())),
  main);
addEventListener("hashchange", () => {
  show();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
});
arrive().then(show).catch((error) => {
  const again = h("button.more", { type: "button", click: show }, "Go on");
  main.replaceChildren(h("h1", "Sign in"), problemBox(error), h("p", again));
});
