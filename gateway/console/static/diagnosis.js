// One answer as elements: the headline, confidence bars, each photo's own result, and where the time went.

import { h, milliseconds, percent } from "./dom.js";
import { words } from "./failures.js";
import { waterfall } from "./waterfall.js";

const ABSTENTIONS = {
  not_a_leaf: [
    "No leaf was found",
    "The photos look like no leaf that the model knows, so it names no disease. Go closer, fill the frame with one leaf, and take it in even light.",
  ],
  low_confidence: [
    "Not sure enough to say",
    "The most probable label is below the confidence at which this model may be acted on. Another photo, closer or in better light, may settle it.",
  ],
};

const named = (prediction) =>
  prediction.healthy ? `${prediction.crop}, healthy` : `${prediction.crop} · ${prediction.condition}`;

/** Most probable first; each bar is the share of 100 %. */
export function bars(predictions, isMuted) {
  const rows = predictions.map((prediction) => {
    const bar = h("span", { class: "bar", "aria-hidden": "true" }, h("span", { class: "bar-filled" }));
    bar.firstChild.style.setProperty("--share", prediction.confidence);
    return h(
      "li",
      {},
      h("span", { class: "bar-name" }, named(prediction)),
      h("span", { class: "bar-number" }, percent(prediction.confidence)),
      bar,
    );
  });
  return h("ol", { class: isMuted ? "bars muted" : "bars" }, rows);
}

function headline(result) {
  const [first] = result.predictions;
  if (!result.abstained && first) {
    return [
      h("h2", { class: first.healthy ? "verdict healthy" : "verdict" }, named(first)),
      h("p", { class: "sure" }, `${percent(first.confidence)} confidence`),
    ];
  }
  const [title, advice] = ABSTENTIONS[result.abstainReason] ?? ["No diagnosis", "The model names none."];
  return [h("h2", { class: "verdict abstained" }, title), h("p", { class: "sure" }, advice)];
}

function ofPhoto(photo, preview, index) {
  const name = preview?.name ?? `Photo ${index + 1}`;
  const picture = preview
    ? h("img", { src: preview.url, alt: "", width: 72, height: 72, onerror: () => picture.remove() })
    : null;
  let told;
  if (photo.error) {
    const [title, advice] = words(photo.error);
    told = h("p", { class: "photo-error" }, h("strong", {}, title), ". ", advice, " ", h("code", {}, photo.error.code));
  } else {
    const [title] = photo.abstained ? (ABSTENTIONS[photo.abstainReason] ?? ["No diagnosis"]) : [null];
    told = [
      title && h("p", { class: "hint" }, `${title}; the most probable would be:`),
      bars(photo.predictions.slice(0, 3), photo.abstained),
    ];
  }
  return h("li", {}, picture, h("div", {}, h("h4", {}, name), told));
}

function aboutModel(model, isDegraded) {
  const error = model.calibrationError === null ? "not measured" : percent(model.calibrationError, 2);
  return h(
    "p",
    { class: "hint" },
    `Model ${model.name} ${model.version}, temperature ${model.temperature}, calibration error ${error}. `,
    h("a", { href: "/model" }, "How far to trust it"),
    isDegraded ? ". A smaller release answered, because the promoted one is out." : "",
  );
}

/** `photos`: {name, url} of those that were sent; `isSame`: whether a replay was the first answer, byte for byte. */
export function diagnosis(answer, photos, isSame) {
  const { result } = answer.body;
  const parts = [];
  if (answer.replayed) {
    parts.push(
      h(
        "p",
        { class: "replayed" },
        h("strong", {}, "Replayed. "),
        `The stored answer came back in ${milliseconds(answer.timing.all)}${isSame ? ", the same byte for byte" : ""}: nothing was computed, and no rate was charged.`,
      ),
    );
  }
  parts.push(...headline(result));
  parts.push(bars(result.predictions, result.abstained), aboutModel(result.model, result.degraded));
  if (result.images.length > 1 || result.images.some((photo) => photo.error)) {
    parts.push(
      h("h3", {}, "Each photo"),
      h(
        "ul",
        { class: "each" },
        result.images.map((photo, index) => ofPhoto(photo, photos[index], index)),
      ),
    );
  }
  parts.push(
    h("h3", {}, answer.replayed ? "Where the first answer's time went" : "Where the time went"),
    waterfall(result.timingMs, answer.replayed ? null : answer.timing),
  );
  return parts;
}
