// node call.mjs COMPILED PLATFORM CALL: one diagnosis as an app on that platform asks for it; prints how it ended.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

import { become } from "./react_native.mjs";

const [compiled, platform, wanted] = process.argv.slice(2);
const { photos, photosAre, abortAfterMs, ...call } = JSON.parse(wanted);
if (platform !== "web") become(platform);
const { diagnose } = await import(pathToFileURL(compiled));

const held = (path) => new Blob([readFileSync(path)], { type: "image/png" });
const addressed = (path) => ({ uri: pathToFileURL(path).href, name: "leaf.png", type: "image/png" });
const controller = new AbortController();
if (abortAfterMs === 0) controller.abort();
else if (abortAfterMs) setTimeout(() => controller.abort(), abortAfterMs);

const started = performance.now();
const outcome = await diagnose({
  ...call,
  photos: photos.map(photosAre === "addressed" ? addressed : held),
  signal: controller.signal,
});
const ms = performance.now() - started;
await new Promise((resolve) => setTimeout(resolve, 50)); // what was ended has settled
const timers = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
console.log(JSON.stringify({ outcome, ms, timers }));
