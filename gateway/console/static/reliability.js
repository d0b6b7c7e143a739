// A reliability diagram (Niculescu-Mizil & Caruana 2005): share right against confidence, bin by bin, and the counts.

import { percent, svg } from "./dom.js";

const WIDTH = 340;
const LEFT = 40;
const TOP = 28;
const SIDE = WIDTH - LEFT - 20;
const COUNTS = 44;
const FEW = 10; // a bin with fewer photos is drawn pale: its share says little

const x = (value) => LEFT + value * SIDE;
const y = (value) => TOP + (1 - value) * SIDE;

function axis() {
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const bottom = TOP + SIDE + COUNTS + 8;
  return ticks.flatMap((tick) => [
    svg("line", { class: "grid", x1: LEFT, x2: LEFT + SIDE, y1: y(tick), y2: y(tick) }),
    svg("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, percent(tick, 0)),
    svg("text", { x: x(tick), y: bottom + 14, "text-anchor": "middle" }, percent(tick, 0)),
  ]);
}

function bin(bins, index, mostPhotos) {
  const [low, high] = [bins.lower[index], bins.upper[index]];
  const [count, right, sure] = [bins.counts[index], bins.accuracy[index], bins.confidence[index]];
  const style = count < FEW ? "few" : "";
  const width = x(high) - x(low) - 1.5;
  const tall = (count / mostPhotos) * (COUNTS - 6);
  return [
    svg("rect", { class: `share ${style}`, x: x(low), y: y(right), width, height: y(0) - y(right) }),
    svg("line", { class: "gap", x1: x(sure), x2: x(sure), y1: y(right), y2: y(sure) }),
    svg("circle", { class: "sure", cx: x(sure), cy: y(right), r: 3 }),
    svg("rect", { class: `count ${style}`, x: x(low), y: TOP + SIDE + 8 + COUNTS - tall, width, height: tall }),
  ];
}

/** `figures`: one entry of the card's, as measured before or after calibration. */
export function reliability(figures, title) {
  const { bins } = figures;
  const most = Math.max(...bins.counts);
  const told = bins.counts.map(
    (count, index) =>
      `${percent(bins.lower[index], 0)} to ${percent(bins.upper[index], 0)}: ${percent(bins.accuracy[index], 0)} of ${count} right`,
  );
  return svg(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${TOP + SIDE + COUNTS + 44}`,
      role: "img",
      "aria-label": `${title}. By confidence, ${told.join("; ")}.`,
      class: "diagram",
    },
    axis(),
    bins.counts.map((_, index) => bin(bins, index, most)),
    svg("line", { class: "ideal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }),
    svg("text", { class: "label", x: LEFT + SIDE, y: TOP + SIDE + COUNTS + 40, "text-anchor": "end" }, "confidence"),
    svg("text", { class: "label", x: 2, y: 12 }, "share right"),
    svg("text", { class: "label", x: LEFT + 6, y: TOP + SIDE + 22 }, "photos"),
  );
}
