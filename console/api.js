// Requests to the HTTP API (docs/api.md), in the name of whoever is signed in.

import { token } from "./signin.js";

/** An answer that says no: what was wrong and what to do, in the API's own words. */
export class Problem extends Error {
  constructor(status, detail, more = {}) {
    super(detail);
    this.status = status;
    this.lines = more.problems || [];
    this.more = more;
  }

  get signedOut() {
    return this.status === 401;
  }
}

const WORDS = {
  401: "You are not signed in, or no longer.",
  403: "You may not do this: ask whoever runs Headroom for the right.",
  413: "That is more than the API takes at once.",
  429: "Too many requests at once: wait a moment and try again.",
  503: "AWS asks to slow down: wait a moment and try again.",
};

/** The API's own words; those of API Gateway, which refuses some by itself, say little and stand behind ours. */
function said(status, { detail, message }) {
  if (typeof detail === "string") return detail;
  const words = WORDS[status] || `The API answers with status ${status}.`;
  return typeof message === "string" && message.length > "Service Unavailable".length ? `${words} (${message})` : words;
}

/** Ask the API; `path` is a list of parts, such as ["datasets", "web"]. Throws a Problem. */
export async function ask(method, path, { body, query, headers, signal } = {}) {
  const address = new URL(path.map(encodeURIComponent).join("/"), document.baseURI);
  for (const [name, value] of Object.entries(query || {})) address.searchParams.set(name, value);
  let answer;
  try {
    answer = await fetch(address, {
      method,
      signal,
      headers: {
        ...(token() ? { Authorization: `Bearer ${token()}` } : {}),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The API does not answer: is this computer online, and does headroom page still run?");
  }
  const found = await answer.json().catch(() => null);
  if (answer.ok) return found;
  throw new Problem(answer.status, said(answer.status, found || {}), found || {});
}
