// Signing in: by the stack's OpenID provider (authorization code with PKCE), or by the key of `headroom page`.
// The token lives in this tab only, and goes to nobody but the page's own address.

const TOKEN = "headroom-token";
const BEGUN = "headroom-sign-in";

export function token() {
  return sessionStorage.getItem(TOKEN);
}

export function forget() {
  sessionStorage.removeItem(TOKEN);
}

/** How people sign in here: {by: "iam"}, or {by: "openid", authorize, token, client}. */
export async function how() {
  const answer = await fetch(new URL("page/sign-in", document.baseURI));
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.detail || "The page cannot find out how to sign in: try again.");
  return found;
}

/** Take what this page was opened with: a key, or a provider's answer. Both leave the address at once. */
export async function arrive() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key) {
    history.replaceState(null, "", location.pathname);
    // Where people sign in at a provider none comes with a key: it would have them work in the name of who sent it.
    if ((await how()).by === "iam") sessionStorage.setItem(TOKEN, key);
    return;
  }
  const answer = new URLSearchParams(location.search);
  if (!answer.has("code") && !answer.has("error")) return;
  const begun = JSON.parse(sessionStorage.getItem(BEGUN) || "null");
  sessionStorage.removeItem(BEGUN);
  history.replaceState(null, "", location.pathname + (begun ? begun.back : ""));
  if (!begun || answer.get("state") !== begun.state) throw new Error("This sign-in was not begun here: begin it again.");
  if (answer.has("error")) {
    throw new Error(`The provider has refused: ${answer.get("error_description") || answer.get("error")}`);
  }
  sessionStorage.setItem(TOKEN, await exchanged(answer.get("code"), begun));
}

/** Go to the provider, which sends the browser back to this page. */
export async function begin({ authorize, client }) {
  const begun = { state: random(), nonce: random(), verifier: random(), back: location.hash };
  sessionStorage.setItem(BEGUN, JSON.stringify(begun));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(begun.verifier));
  const address = new URL(authorize);
  for (const [name, value] of Object.entries({
    response_type: "code", client_id: client, redirect_uri: here(), scope: "openid email", state: begun.state,
    nonce: begun.nonce, code_challenge: base64url(new Uint8Array(digest)), code_challenge_method: "S256",
  })) address.searchParams.set(name, value);
  location.assign(address);
}

/** The ID token: its audience is this client by the standard, and it says who somebody is and what they may see. */
async function exchanged(code, begun) {
  const { token: address, client } = await how();
  const body = new URLSearchParams({
    grant_type: "authorization_code", code, client_id: client, redirect_uri: here(), code_verifier: begun.verifier,
  });
  const answer = await fetch(address, { method: "POST", body }).catch(() => null);
  if (!answer) throw new Error("The provider gives this page no token: allow its address there (docs/page.md).");
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok || !found.id_token) {
    throw new Error(`The provider gives no token: ${found.error_description || found.error || answer.status}`);
  }
  if (claims(found.id_token).nonce !== begun.nonce) throw new Error("The token is for another sign-in: begin it again.");
  return found.id_token;
}

/** What a token says; whether that is true is for API Gateway to check, at each request. */
function claims(text) {
  const part = text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (sign) => sign.charCodeAt(0))));
}

function here() {
  return location.origin + location.pathname;
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
