// Errors in words: what happened, and what to do about it. By code where there is more to say than the category does.

import { askForToken } from "./access.js";
import { h } from "./dom.js";

const CATEGORIES = {
  validation: [
    "The request cannot be answered as it is",
    "Sending the same again would end the same. Change what the message names.",
  ],
  auth: ["You are not let in", "The token is missing, wrong, expired, or not for this."],
  timeout: [
    "The deadline passed",
    "There was no answer in the time that was given. Nothing was stored: give it more time, and send it again.",
  ],
  server: [
    "The service cannot answer just now",
    "It is not the photo's fault. The same request, under the same key, can be sent again.",
  ],
  network: [
    "No answer arrived",
    "The connection failed. The request may have got there all the same; under the same key it is answered once only.",
  ],
};

const CODES = {
  token_missing: ["A token is needed", "Enter one under «Access»."],
  token_invalid: [
    "The token is not accepted",
    "It was not signed by this service's issuer, or is not meant for this service.",
  ],
  token_expired: ["The token has expired", "Enter a new one under «Access», and send the same request again."],
  rate_limited: ["You ask faster than you may", "Wait a moment. Replays of an answer are not counted."],
  overloaded: ["The model has too much to do", "It would not be done in time, so it was not begun."],
  triton_unavailable: ["The model cannot be reached", "It may be starting anew; that takes seconds."],
  request_in_flight: ["The first try is still at work", "The same request was sent before, and is being answered."],
  idempotency_key_reused: [
    "The key belongs to another request",
    "Its photos or its settings were others. A new request needs a new key.",
  ],
  image_invalid: ["The photo cannot be read", "Is it a photo at all?"],
  image_empty: ["The file is empty", "Choose it again; it may not have been copied in full."],
  image_type_unsupported: ["The file is of no kind that is read", "JPEG, PNG, WebP and HEIC are."],
  image_too_large: ["The photo is too large", "Up to 20 MB are taken."],
  image_too_many_pixels: ["The photo has too many pixels", "Up to 50 megapixels are taken."],
  image_truncated: ["The photo ends too early", "It was probably not copied in full. Choose it again."],
  image_corrupt: ["The photo is damaged", "Its beginning can be read, its pixels cannot."],
  image_polyglot: [
    "The file is a photo and something else",
    "It is a document of another kind as well, so it is not taken.",
  ],
  body_too_large: ["That is too much at once", "Send fewer or smaller photos: at most 8 of 20 MB."],
  not_found: ["There is nothing here", "This service does not offer it."],
  cancelled: ["Cancelled", "Nothing is shown; the key is free, or its answer is kept for a next try."],
};

// Whether to try again what is not retryable as it is.
const AGAIN = { validation: "not as it is", auth: "with another token", timeout: "with more time" };

/** [title, what to do]. */
export function words(error) {
  return CODES[error.code] ?? CATEGORIES[error.category] ?? ["Something went wrong", ""];
}

/** A panel for an envelope with an error; `again` is offered where trying again can help. */
export function failurePanel(body, status, again = null) {
  const error = body.error;
  const [title, advice] = words(error);
  const panel = h(
    "div",
    { class: `failure ${error.category}`, role: "alert" },
    h("h2", {}, title),
    h("p", {}, advice),
    status > 0 && h("p", { class: "said" }, h("span", { class: "hint" }, "The service says: "), error.message),
    h(
      "dl",
      { class: "facts" },
      fact("Category", error.category),
      fact("Code", h("code", {}, error.code)),
      fact("Try again?", error.retryable ? "yes, under the same key" : AGAIN[error.category]),
      status > 0 && fact("HTTP status", String(status)),
      body.requestId && fact("Request", h("code", {}, body.requestId)),
    ),
  );
  if (error.category === "auth") panel.append(h("button", { type: "button", onclick: askForToken }, "Enter a token"));
  else if (again && (error.retryable || error.category === "timeout"))
    panel.append(againButton(again, error.retryAfterMs ?? 0));
  return panel;
}

function fact(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

function againButton(again, waitMs) {
  const button = h(
    "button",
    { type: "button", class: "primary", disabled: waitMs > 0, onclick: again },
    "Send it again",
  );
  setTimeout(() => (button.disabled = false), waitMs);
  return button;
}
