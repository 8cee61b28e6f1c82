// Files come in: looked at first, by the jobs' own eyes, then uploaded by forms that S3 holds to their name and size.

import { h, readable } from "./dom.js";
import { ask } from "./api.js";
import { address, button, part, say, statusLine } from "./ui.js";

// headroom.preview looks at the first 4 MiB of a file; one byte more says that there is more.
const BEGINNING = 4 * 2 ** 20 + 1;

export async function upload({ dataset, signal }) {
  const status = statusLine(), list = h("ul.files");
  const files = [];
  let looking = 0;
  const input = h("input.hidden", { type: "file", multiple: true, id: "files", change: () => { add(input.files); input.value = ""; } });
  const zone = h("label.drop", { for: "files" }, h("b", "Choose files"), " or drop them here",
    h("small", "CSV, JSON or Parquet, plain or gzip. They are looked at before anything is taken in."));
  const go = button("Upload", send, { class: "more main" });
  go.hidden = true;

  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("is-over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("is-over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("is-over");
    add(event.dataTransfer.files);
  });

  function add(chosen) {
    const fresh = [...chosen].filter((file) => !files.some((one) => one.file.name === file.name && !one.done));
    say(status, "");
    looking += fresh.length;
    for (const file of fresh) {
      const one = entry(file, (gone) => { files.splice(files.indexOf(gone), 1); gone.row.remove(); count(); });
      files.push(one);
      list.append(one.row);
    }
    count();
    // One after another: each is a call of a function that reads the whole beginning.
    fresh.reduce((before, file) => before.then(() => look(files.find((one) => one.file === file))), Promise.resolve());
  }

  function count() {
    const ready = files.filter(wanted);
    go.hidden = looking > 0 || !ready.length;
    go.textContent = ready.length === 1 ? "Upload 1 file" : `Upload ${ready.length} files`;
  }

  async function look(one) {
    try {
      if (!one) return; // left out meanwhile
      if (!one.file.size) {
        one.tell("It is empty: check the export that made it.", [], false);
        return;
      }
      const piece = await beginning(one.file);
      const form = await ask("POST", ["datasets", dataset, "previews"], { body: { name: one.file.name }, signal });
      if (piece.size > form.most_bytes) {
        one.tell("It is too large to be looked at here. On your machine: headroom preview", [], null);
        return;
      }
      await post(form, piece, () => {}, signal);
      const found = await ask("POST", ["datasets", dataset, "previews", form.preview], { body: { name: one.file.name }, signal });
      one.tell(found.usable ? "Usable:" : "Nothing of it can be used as it is:", found.lines.slice(1), found.usable);
    } catch (error) {
      if (error.name !== "AbortError") one.tell(sentence(error.message), error.lines || [], error.status === 422 ? false : null);
    } finally {
      looking -= 1;
      count();
    }
  }

  async function send() {
    let sent = 0;
    for (const one of files.filter(wanted)) {
      try {
        const form = await ask("POST", ["datasets", dataset, "uploads"], { body: { name: one.file.name }, signal });
        if (one.file.size > form.most_bytes) throw new Error("It is larger than 5 GB: use headroom drop.");
        await post(form, one.file, one.progress, signal);
        one.finish();
        sent += 1;
      } catch (error) {
        if (error.name === "AbortError") return;
        one.tell(`Not uploaded: ${error.message}`, error.lines || [], false);
      }
    }
    count();
    const left = files.filter((one) => !one.done).length;
    if (!sent) say(status, "Nothing was uploaded; each file says why.", false);
    else {
      say(status, `${sent} uploaded${left ? `, ${left} not` : ""}. Headroom takes files in within a minute; what it refuses it `
        + "tells by notification.", !left);
      status.append(" ", h("a", { href: address("datasets", dataset) }, "Follow the run"));
    }
  }

  /** Still to be uploaded: a file of which nothing can be used would only be refused. */
  function wanted(one) {
    return !one.done && one.usable !== false;
  }

  return part("Upload", input, zone, list, status, h("div.row", go));
}

/** One file of the list, with what is said of it. */
function entry(file, remove) {
  const said = h("div", { role: "status" }, h("p.quiet", "Looking at it …"));
  const bar = h("progress", { max: 100, value: 0, hidden: true, "aria-label": `Upload of ${readable(file.name)}` });
  const one = {
    file,
    done: false,
    usable: null,
    tell(words, lines, usable) {
      one.usable = usable;
      const kind = usable === null ? "" : usable ? "is-good" : "is-bad";
      said.replaceChildren(h(`p.says.${kind}`, readable(words)), lines.length ? h("pre", lines.map((line) => readable(line).trimStart()).join("\n")) : "");
      bar.hidden = true;
    },
    progress(share) {
      bar.hidden = false;
      bar.value = Math.round(100 * share);
    },
    finish() {
      one.done = true;
      bar.hidden = true;
      out.remove();
      said.replaceChildren(h("p.says.is-good", "Uploaded."));
    },
  };
  const out = h("button.more", { type: "button", "aria-label": `Leave out ${readable(file.name)}`, click: () => remove(one) }, "Leave out");
  one.row = h("li", h("div.file", h("b", h("bdi", readable(file.name))), h("span.quiet", size(file.size)), out), bar, said);
  return one;
}

/** What the API says of a file, standing alone below the file's name. */
function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function size(bytes) {
  return bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 2 ** 20).toFixed(1)} MB`;
}

/** As much of a file as shows what it is: gzip, Parquet, JSON and UTF-16 are read whole. */
async function beginning(file) {
  const head = new Uint8Array(await file.slice(0, 64).arrayBuffer());
  const starts = (...bytes) => bytes.every((byte, i) => head[i] === byte);
  const whole = starts(0x1f, 0x8b) || starts(0x50, 0x41, 0x52, 0x31) || starts(0xff, 0xfe) || starts(0xfe, 0xff)
    || /^\s*[[{]/.test(new TextDecoder().decode(head));
  return whole ? file : file.slice(0, BEGINNING);
}

/** Post a file with a form that the API has signed. What S3 refuses it says in XML. */
function post(form, content, progress, signal) {
  return new Promise((done, failed) => {
    const body = new FormData();
    for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
    body.append("file", content);
    const request = new XMLHttpRequest(); // fetch tells nothing of progress
    request.open("POST", form.url);
    request.upload.addEventListener("progress", (event) => event.lengthComputable && progress(event.loaded / event.total));
    request.addEventListener("load", () => (request.status < 300 ? done() : failed(new Error(refusal(request)))));
    request.addEventListener("error", () => failed(new Error("S3 cannot be reached: is this computer online?")));
    request.addEventListener("abort", () => failed(new DOMException("left", "AbortError")));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
  });
}

function refusal({ status, responseText }) {
  const [, code = `status ${status}`] = /<Code>([^<]*)<\/Code>/.exec(responseText) || [];
  return code === "EntityTooLarge" ? "it is too large" : `S3 has refused: ${code}`;
}
