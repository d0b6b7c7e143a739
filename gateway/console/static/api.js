// Calls of the service. What goes wrong on the way is given the contract's form too: category `network`, made here.

import { token } from "./access.js";

function networkError(code, message) {
  return {
    success: false,
    requestId: null,
    result: null,
    error: { category: "network", code, message, retryable: true, retryAfterMs: null },
  };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return networkError("response_invalid", "What came back is no answer of Frond.");
  }
}

/** GET → {status, body}. */
export async function get(path) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  try {
    const answer = await fetch(path, { headers, cache: "no-store" });
    return { status: answer.status, body: parsed(await answer.text()) };
  } catch {
    return { status: 0, body: networkError("connection_failed", "The service cannot be reached.") };
  }
}

/**
 * Sends one diagnosis request → {status, body, text, replayed, limit, timing}; `timing` in milliseconds.
 *
 * XMLHttpRequest, because fetch does not tell how much of a body has been sent.
 */
export function diagnose(form, key, deadlineMs, onSent, signal) {
  const request = new XMLHttpRequest();
  const began = performance.now();
  let sent = null;
  return new Promise((resolve) => {
    const finish = (status, body, text = "") =>
      resolve({
        status,
        body,
        text,
        replayed: status > 0 && request.getResponseHeader("Idempotency-Replayed") === "true",
        limit: status > 0 ? request.getResponseHeader("RateLimit") : null,
        timing: { sent: (sent ?? performance.now()) - began, all: performance.now() - began },
      });
    const fail = (code, message) => finish(0, networkError(code, message));
    request.open("POST", "/v1/ai-inference");
    request.setRequestHeader("Idempotency-Key", key);
    request.setRequestHeader("X-Frond-Deadline-Ms", String(deadlineMs));
    if (token()) request.setRequestHeader("Authorization", `Bearer ${token()}`);
    request.timeout = deadlineMs + 2000; // the service's own timeout says more than ours
    request.upload.onprogress = (event) => onSent(event.lengthComputable ? event.loaded / event.total : null);
    request.upload.onload = () => {
      sent = performance.now();
      onSent(1);
    };
    request.onload = () => finish(request.status, parsed(request.responseText), request.responseText);
    request.onerror = () => fail("connection_failed", "The connection could not be made, or broke.");
    request.ontimeout = () => fail("connection_timeout", "Nothing came back in time.");
    request.onabort = () => fail("cancelled", "You cancelled it.");
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
