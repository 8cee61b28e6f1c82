// A run's report. Its address here lasts; the link that it is fetched by is made anew each time, and ends.

import { h } from "./dom.js";
import { ask } from "./api.js";

export async function report({ dataset, more: [run = "current"], signal }) {
  const found = await ask("GET", ["datasets", dataset, "runs", run, "results"], { signal });
  const file = found.files.find((one) => one.name === "report.html");
  if (!file) throw new Error(`Run ${found.run_id} has no report.`);
  // The report runs its own script and nothing else; it reaches neither this page nor its sign-in.
  return [
    h("p.quiet.report-line", "Run ", h("code", found.run_id), " · ",
      h("a", { href: file.url, target: "_blank", rel: "noreferrer" }, "open it alone")),
    h("iframe.report", {
      src: file.url, title: `Report of ${dataset}, run ${found.run_id}`,
      sandbox: "allow-scripts allow-downloads allow-modals allow-popups",
    }),
  ];
}
