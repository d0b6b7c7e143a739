// The page that diagnoses: one request at a time, its key kept until something about it changes.

import * as access from "./access.js";
import { diagnose } from "./api.js";
import { diagnosis } from "./diagnosis.js";
import { byId, h, percent } from "./dom.js";
import { failurePanel } from "./failures.js";
import * as photos from "./photos.js";

let request = null; // {key, form, photos, deadlineMs, text}: what was sent last, as it was
let running = null; // AbortController

const say = (text) => (byId("said").textContent = text);

function newRequest(chosen) {
  const key = crypto.randomUUID?.() ?? randomUuid();
  const details = {
    assessmentId: `console-${key}`,
    plantContext: { id: "console" },
    client: { platform: "web-console" },
    topK: Number(byId("top-k").value),
  };
  const form = new FormData();
  form.append("request", new Blob([JSON.stringify(details)], { type: "application/json" }));
  for (const [index, { content }] of chosen.entries()) form.append("images", content, `photo-${index + 1}`); // a name tells, too
  return {
    key,
    form,
    photos: chosen.map(({ name, content }) => ({ name, url: URL.createObjectURL(content) })),
    text: null,
  };
}

function randomUuid() {
  // `crypto.randomUUID` is missing where a page comes over plain HTTP from another machine (RFC 9562, section 5.4).
  const random = crypto.getRandomValues(new Uint8Array(16));
  random[6] = (random[6] & 0x0f) | 0x40;
  random[8] = (random[8] & 0x3f) | 0x80;
  const digits = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function showProgress(share) {
  const bar = byId("sent");
  const words = byId("progress-words");
  if (share === null || share >= 1) {
    bar.removeAttribute("value");
    words.textContent = "Sent. Waiting for the diagnosis";
  } else {
    bar.value = share;
    words.textContent = `Sending, ${percent(share, 0)}`;
  }
}

function setRunning(controller) {
  running = controller;
  byId("send").disabled = Boolean(controller) || !chosen.length;
  byId("cancel").hidden = !controller;
  byId("progress").hidden = !controller;
  for (const id of ["drop", "photos"]) byId(id).inert = Boolean(controller); // the answer is to these photos
}

/** The last answer goes: it is to other photos, or another one is on its way. */
function clearAnswer() {
  byId("answer").hidden = true;
  byId("answer").replaceChildren();
}

async function send() {
  if (!byId("request").reportValidity()) return;
  const controller = new AbortController();
  const deadlineMs = Math.round(Number(byId("deadline").value) * 1000);
  clearAnswer();
  setRunning(controller);
  showProgress(0);
  say("Sending");
  const answer = await diagnose(request.form, request.key, deadlineMs, showProgress, controller.signal);
  setRunning(null);
  show(answer);
}

function show(answer) {
  const place = byId("answer");
  const isDiagnosis = answer.body.success === true;
  place.hidden = false;
  if (isDiagnosis) {
    place.replaceChildren(...diagnosis(answer, request.photos, answer.text === request.text), actions(), raw(answer));
    request.text ??= answer.text;
    say(`${answer.replayed ? "Replayed. " : ""}${place.querySelector("h2").textContent}`);
  } else {
    place.replaceChildren(failurePanel(answer.body, answer.status, send), raw(answer));
    say(""); // the panel is an alert of its own
  }
  place.focus({ preventScroll: true });
  place.scrollIntoView({
    block: "start",
    behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth",
  });
}

function actions() {
  return h(
    "p",
    { class: "actions" },
    h("button", { type: "button", id: "again", onclick: send }, "Send the same key again"),
    h("span", { class: "hint" }, "The stored answer comes back; nothing is computed twice."),
  );
}

function raw(answer) {
  const text = answer.body.requestId ? JSON.stringify(answer.body, null, 2) : "Nothing came back.";
  return h(
    "details",
    { class: "raw" },
    h("summary", {}, "The answer as it came"),
    h(
      "dl",
      { class: "facts" },
      h("div", {}, h("dt", {}, "Idempotency-Key"), h("dd", {}, h("code", {}, request.key))),
      answer.limit && h("div", {}, h("dt", {}, "RateLimit"), h("dd", {}, h("code", {}, answer.limit))),
    ),
    h("pre", { tabindex: 0, "aria-label": "JSON" }, text),
  );
}

access.install();
const chosen = photos.install(() => {
  clearAnswer();
  setRunning(running);
}, say);
byId("request").addEventListener("submit", (event) => {
  event.preventDefault();
  if (running || !chosen.length) return;
  if (!access.token()) {
    byId("answer").hidden = false;
    byId("answer").replaceChildren(failurePanel(access.missing(), 0));
    return;
  }
  for (const photo of request?.photos ?? []) URL.revokeObjectURL(photo.url);
  request = newRequest(chosen);
  send();
});
byId("cancel").addEventListener("click", () => running?.abort());
