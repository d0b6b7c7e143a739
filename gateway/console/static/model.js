// The page of the served model: what its card says, the reliability diagrams first.

import * as access from "./access.js";
import { get } from "./api.js";
import { byId, bytes, h, percent } from "./dom.js";
import { failurePanel } from "./failures.js";
import { reliability } from "./reliability.js";

const interval = ({ low, high }, digits = 1) => `${(100 * low).toFixed(digits)}–${percent(high, digits)}`;

function tile(name, figure, digits) {
  return h(
    "div",
    { class: "tile" },
    h("dt", {}, name),
    h(
      "dd",
      {},
      h("span", { class: "figure" }, percent(figure.value, digits)),
      h("span", { class: "hint" }, interval(figure, digits)),
    ),
  );
}

function headline(card) {
  const figures = card.figures.find(({ sample }) => sample === card.measuredOn) ?? card.figures[0];
  const { before, after } = figures;
  const measured = [figures, ...card.figures.filter((each) => each !== figures && isEvaluation(card, each.sample))];
  return [
    h(
      "dl",
      { class: "tiles" },
      measured.map((each) => tile(`Accuracy: ${titleOf(card, each.sample)}`, each.after.accuracy, 1)),
      tile("Calibration error before", before.calibrationError, 2),
      tile("Calibration error after", after.calibrationError, 2),
      h(
        "div",
        { class: "tile" },
        h("dt", {}, "Temperature"),
        h(
          "dd",
          {},
          h("span", { class: "figure" }, String(card.temperature)),
          h("span", { class: "hint" }, "of scaling"),
        ),
      ),
    ),
    h("h2", {}, "How far its confidence can be trusted"),
    h(
      "p",
      {},
      "Where the bars reach the dashed line, a confidence of 80 % is right 8 times in 10. Pale bars have fewer than ten photos; small figures are 95 % intervals.",
    ),
    ...[figures, ...card.figures.filter((each) => each !== figures)].flatMap((each) => diagrams(card, each)),
  ];
}

const isEvaluation = (card, name) => card.photoSets.find((each) => each.name === name)?.usedFor === "evaluation";

function titleOf(card, name) {
  const [set, kind] = name.split("/");
  const title = card.photoSets.find((each) => each.name === name)?.title;
  return title ?? `${card.photoSets.find((each) => each.name === set)?.title ?? set}${kind ? `, ${kind}` : ""}`;
}

function diagrams(card, { sample, before, after }) {
  const title = titleOf(card, sample);
  const pair = [
    ["as trained", before],
    ["calibrated, as served", after],
  ].map(([name, figures]) =>
    h(
      "figure",
      {},
      reliability(figures, `${title}, ${name}`),
      h(
        "figcaption",
        {},
        h("strong", {}, name),
        `: error ${percent(figures.calibrationError.value, 2)}, accuracy ${percent(figures.accuracy.value, 1)}`,
      ),
    ),
  );
  const photos = after.bins.counts.reduce((sum, count) => sum + count, 0);
  return [h("h3", { class: "set" }, `${title}, ${photos} photos`), h("div", { class: "pair" }, pair)];
}

function refusals(card) {
  const row = (entry) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, titleOf(card, entry.sample), h("span", { class: "what" }, `${entry.photos} photos`)),
      ...["notALeaf", "lowConfidence", "answered", "rightWhenAnswered"].map((key) =>
        h("td", {}, entry[key] ? percent(entry[key].value, 1) : "–"),
      ),
    );
  const least = card.minConfidence ? `Not sure: below ${percent(card.minConfidence.value, 0)} confidence. ` : "";
  return [
    h("h2", {}, "When it declines to answer"),
    h("p", {}, least, "Each line is a set of photos, and what became of them."),
    h(
      "div",
      { class: "table", tabindex: 0, role: "region", "aria-label": "Refusals" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Photos", "No leaf", "Not sure", "Answered", "Of these right"].map((name) =>
              h("th", { scope: "col" }, name),
            ),
          ),
        ),
        h("tbody", {}, card.refusals.map(row)),
      ),
    ),
  ];
}

function origin(card) {
  const { provenance, model } = card;
  return [
    provenance.caveats.length > 0 && [
      h("h2", {}, "What to beware of"),
      h(
        "ul",
        {},
        provenance.caveats.map((text) => h("li", {}, text)),
      ),
    ],
    provenance.sources.length > 0 && [
      h("h2", {}, "Made from"),
      h(
        "ul",
        {},
        provenance.sources.map((source) =>
          h(
            "li",
            {},
            source.name,
            h("span", { class: "hint" }, ` · ${source.usedFor} · ${source.licence} · ${source.attribution}`),
          ),
        ),
      ),
    ],
    h("h2", {}, "The file"),
    h(
      "dl",
      { class: "facts" },
      [
        ["Labels", String(model.labels.length)],
        ["Input", `${model.inputPixels} × ${model.inputPixels} pixels`],
        ["Size", bytes(model.sizeBytes)],
        ["SHA-256", h("code", {}, model.sha256)],
        ["Measured", card.created],
        ["With", h("code", {}, card.command)],
      ].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
    h(
      "details",
      {},
      h("summary", {}, "All labels"),
      h(
        "ul",
        { class: "labels" },
        model.labels.map((label) => h("li", {}, label.replaceAll("_", " "))),
      ),
    ),
  ]
    .flat(2)
    .filter(Boolean);
}

function page(model) {
  const releases = h(
    "p",
    { class: "lead" },
    `Release ${model.version}`,
    model.releases.length > 1 ? `, of ${model.releases.join(", ")}` : "",
    ".",
  );
  if (!model.card)
    return [releases, h("p", {}, "This release has no card: nobody measured it. `frond model add --calibrate` would.")];
  const { card } = model;
  return [
    h("p", { class: "lead" }, card.provenance.title, `, release ${model.version}. `, card.provenance.intendedUse),
    ...headline(card),
    ...refusals(card),
    ...origin(card),
  ];
}

async function load() {
  if (!access.token()) {
    byId("card").replaceChildren(failurePanel(access.missing(), 0));
    return;
  }
  byId("said").textContent = "Loading the card …";
  const { status, body } = await get("/v1/model");
  byId("said").textContent = "";
  if (body.error) {
    const why =
      status === 404
        ? [h("p", { class: "lead" }, "This gateway does not show its model's card."), h("p", {}, body.error.message)]
        : [failurePanel(body, status, load)];
    byId("card").replaceChildren(...why);
    return;
  }
  byId("card").replaceChildren(...page(body));
}

access.install(load);
load();
