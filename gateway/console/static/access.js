// The token: from the address's fragment or the field, kept for this tab only.

import { byId, duration } from "./dom.js";

const KEY = "frond.token";

/** The token, or an empty string. */
export const token = () => sessionStorage.getItem(KEY) ?? "";

function claims(text) {
  try {
    const payload = text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(atob(payload));
  } catch {
    return null;
  }
}

function described(text) {
  if (!text) return "no token";
  const found = claims(text);
  if (!found) return "what is entered is no token";
  const left = found.exp - Date.now() / 1000;
  if (Number.isNaN(left)) return "a token without an end";
  return left > 0 ? `a token, valid for ${duration(left)}` : "the token has expired";
}

function takeFromFragment() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!found) return;
  sessionStorage.setItem(KEY, found);
  history.replaceState(null, "", location.pathname); // not for the history, a bookmark or a screenshot
}

/** Opens the field, and goes there. */
export function askForToken() {
  byId("access").open = true;
  byId("token").focus();
}

/** The envelope that the service answers without a token: no need to ask it. */
export const missing = () => ({
  requestId: null,
  error: {
    category: "auth",
    code: "token_missing",
    message: "The Authorization header is missing.",
    retryable: false,
    retryAfterMs: null,
  },
});

/** Joins the field to what is kept; `changed` is called after each change. */
export function install(changed = () => {}) {
  const field = byId("token");
  const show = () => {
    byId("access-state").textContent = described(token());
    byId("forget").hidden = !token();
  };
  takeFromFragment();
  field.value = token();
  byId("access").open = !token();
  field.addEventListener("input", () => {
    sessionStorage.setItem(KEY, field.value.replace(/^\s*Bearer\s/i, "").replace(/[^\x21-\x7e]/g, "")); // what a header can hold
    show();
  });
  field.addEventListener("change", changed);
  byId("forget").addEventListener("click", () => {
    sessionStorage.removeItem(KEY);
    field.value = "";
    show();
    changed();
  });
  window.addEventListener("hashchange", () => {
    takeFromFragment();
    field.value = token();
    byId("access").open = !token();
    show();
    changed();
  });
  show();
  setInterval(show, 30_000);
}
