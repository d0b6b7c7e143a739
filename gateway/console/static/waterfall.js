// The time of one answer, stage below stage. Durations are measured; the order is known; gaps between them are not.

import { h, milliseconds } from "./dom.js";

/** [name, what it is, begin, length], in milliseconds from the moment the request was sent. */
export function stages(timing, browser) {
  const all = Math.max(browser?.all ?? 0, timing.total);
  const begin = all - timing.total;
  const own = Math.max(0, timing.total - timing.queue - timing.decode - timing.infer);
  const rows = browser ? [["Round trip", "as this browser saw it", 0, all]] : [];
  rows.push(["Service", "identity, key, checks, storing", begin, own]);
  let at = begin + own;
  for (const [name, what, length] of [
    ["Waiting", "for the model", timing.queue],
    ["Decoding", "photos to pixels", timing.decode],
    ["Inferring", "pixels to confidence", timing.infer],
  ]) {
    rows.push([name, what, at, length]);
    at += length;
  }
  return { all, rows };
}

/** `browser`: what was measured here, or null where the answer is another request's. */
export function waterfall(timing, browser) {
  const { all, rows } = stages(timing, browser);
  const body = rows.map(([name, what, begin, length], index) => {
    const bar = h("span", { class: `stage stage-${browser ? index : index + 1}` });
    bar.style.setProperty("--begin", begin / all);
    bar.style.setProperty("--length", length / all);
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, name, h("span", { class: "what" }, what)),
      h("td", { class: "lane", "aria-hidden": "true" }, bar),
      h("td", { class: "number" }, milliseconds(length)),
    );
  });
  const total = h(
    "tr",
    { class: "total" },
    h("th", { scope: "row" }, "Service in all"),
    h("td", { "aria-hidden": "true" }),
    h("td", { class: "number" }, milliseconds(timing.total)),
  );
  return h(
    "table",
    { class: "waterfall" },
    h("caption", { class: "visually-hidden" }, "Stages of the answer and how long each took"),
    h(
      "thead",
      { class: "visually-hidden" },
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Stage"),
        h("td", { "aria-hidden": "true" }),
        h("th", { scope: "col" }, "Took"),
      ),
    ),
    h("tbody", {}, body, total),
  );
}
