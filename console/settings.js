// The dataset's settings: checked by the jobs' own validation while they are written, saved only if they are valid.

import { h, readable } from "./dom.js";
import { ask } from "./api.js";
import { button, part, say, statusLine } from "./ui.js";

const CHECK_AFTER = 600;

export async function settings({ dataset, signal }) {
  let { text: saved, etag, problems } = await ask("GET", ["datasets", dataset, "settings"], { signal });
  const status = statusLine(), faults = h("ul.faults", { "aria-live": "polite", id: "faults" });
  const editor = h("textarea.editor", {
    rows: Math.min(40, Math.max(14, saved.split("\n").length + 3)), spellcheck: "false", autocapitalize: "off",
    "aria-label": `Settings of ${dataset}, YAML`, "aria-describedby": "faults",
    input: () => { clearTimeout(timer); timer = setTimeout(check, CHECK_AFTER); },
  });
  let timer;
  editor.value = saved;

  const show = (lines) => {
    editor.setAttribute("aria-invalid", lines.length ? "true" : "false");
    faults.replaceChildren(...lines.map((line) => h("li", readable(line))));
  };
  const check = async () => {
    const text = editor.value;
    try {
      const found = await ask("POST", ["datasets", dataset, "settings", "check"], { body: { text }, signal });
      if (text !== editor.value) return;
      show(found.problems);
      say(status, found.valid ? (text === saved ? "" : "Valid, and not saved yet.") : "Not valid yet:", found.valid);
    } catch (error) {
      if (error.name !== "AbortError") say(status, error);
    }
  };
  const save = async () => {
    const text = editor.value;
    clearTimeout(timer);
    try {
      ({ etag } = await ask("PUT", ["datasets", dataset, "settings"], { body: { text, etag } }));
      saved = text;
      show([]);
      say(status, "Saved. They count from the next run on.");
    } catch (error) {
      show(error.status === 422 ? error.lines : []);
      say(status, error.status === 422 ? "Not saved, as they are not valid:" : error, error.status !== 422);
      again.hidden = error.status !== 409;
    }
  };
  const again = button("Read them again, and lose what is written here", async () => {
    ({ text: saved, etag, problems } = await ask("GET", ["datasets", dataset, "settings"], { signal }));
    editor.value = saved;
    show(problems);
    say(status, "Read again.");
    again.hidden = true;
  }, { hidden: true });

  const unsaved = (event) => { if (editor.value !== saved) event.preventDefault(); };
  addEventListener("beforeunload", unsaved);
  signal.addEventListener("abort", () => { clearTimeout(timer); removeEventListener("beforeunload", unsaved); });
  show(problems);
  return part("Settings",
    h("p.intro", "YAML, all of it optional; docs/settings.md describes the keys. An empty file means the defaults."),
    editor, status, faults, h("div.row", button("Save", save, { class: "more main" }), again));
}
