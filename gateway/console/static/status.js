// The live page: readiness, which anyone may ask, and the numbers of this gateway, which take a token.

import * as access from "./access.js";
import { get } from "./api.js";
import { byId, duration, h, milliseconds, percent } from "./dom.js";
import { words } from "./failures.js";

const EVERY_MS = 3000;
const PARTS = {
  database: "PostgreSQL",
  triton: "Triton, with a synthetic inference",
  keys: "Keys of the issuer",
  storage: "Photo storage",
};
const CALLERS = new Set(["auth", "validation", "network"]); // their token, their request, their going away
const BREAKERS = { closed: "well", half_open: "being tried", open: "not asked for now" };

function table(caption, heads, rows) {
  return h(
    "div",
    { class: "table", tabindex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      { class: "words" },
      h("caption", {}, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      h("tbody", {}, rows),
    ),
  );
}

const mark = (isWell, text) => h("span", { class: isWell ? "mark well" : "mark unwell" }, text);

/** In place of what was there; who stood on a table with the keyboard still does. */
function renew(place, children) {
  const stood = place.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  place.replaceChildren(...children);
  if (stood) place.querySelector(`[aria-label="${CSS.escape(stood)}"]`)?.focus({ preventScroll: true });
}

function stateOf(status, body) {
  if (status === 0) return "The service cannot be reached.";
  if (body.draining) return "This gateway is going: it finishes what it has.";
  return body.ready ? "Ready: a request would be answered." : "Not ready: something a request needs is out.";
}

function showReadiness({ status, body }) {
  const state = byId("state");
  const text = stateOf(status, body);
  if (state.textContent !== text) state.textContent = text; // said again only when it is another
  state.className = `state ${body.ready ? "well" : "unwell"}`;
  const parts = Object.entries(body.parts ?? {});
  const hasReasons = parts.some(([, part]) => part.reason);
  const rows = parts.map(([name, part]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, PARTS[name] ?? name),
      h("td", {}, mark(part.ready, part.ready ? "ready" : "out")),
      hasReasons && h("td", { class: "hint" }, part.reason ?? ""),
    ),
  );
  const heads = ["Part", "State", ...(hasReasons ? ["What is not well"] : [])];
  renew(byId("parts"), rows.length ? [table("What a request needs", heads, rows)] : []);
}

function tile(name, figure, note = "") {
  return h(
    "div",
    { class: "tile" },
    h("dt", {}, name),
    h("dd", {}, h("span", { class: "figure" }, figure), h("span", { class: "hint" }, note)),
  );
}

function withCategories(failed, isWanted) {
  const wanted = Object.entries(failed).filter(([name]) => isWanted(name));
  return {
    count: wanted.reduce((sum, [, count]) => sum + count, 0),
    names: wanted.map(([name, count]) => `${name} ${count}`).join(", "),
  };
}

function numbers(status) {
  const { recent } = status;
  const ofCallers = withCategories(recent.failed, (name) => CALLERS.has(name));
  const ofService = withCategories(recent.failed, (name) => !CALLERS.has(name));
  const all = recent.answered + ofCallers.count + ofService.count;
  const minutes = duration(recent.seconds);
  const time = (value) => (value === null ? "–" : milliseconds(value));
  const servers = status.tritons.map((server, index) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, `Triton ${index + 1}`),
      h("td", {}, mark(server.breaker === "closed", BREAKERS[server.breaker])),
      h("td", {}, String(server.inFlight)),
      h("td", {}, server.version ?? "does not say"),
    ),
  );
  return [
    h("h2", {}, `The last ${minutes}`),
    h(
      "dl",
      { class: "tiles" },
      tile("Requests", String(all), all ? `${((all / Math.max(recent.seconds, 1)) * 60).toFixed(1)} a minute` : "none"),
      tile("Failed", all ? percent(ofService.count / all, 1) : "–", ofService.names),
      tile("Refused", all ? percent(ofCallers.count / all, 1) : "–", ofCallers.names),
      tile("Half took at most", time(recent.p50Ms), "p50"),
      tile("95 of 100 took at most", time(recent.p95Ms), "p95"),
      tile("Replayed", String(recent.replayed)),
    ),
    table("Tritons, as this gateway sees them", ["Server", "Breaker", "In flight", "Version"], servers),
    h(
      "p",
      { class: "hint" },
      `Gateway ${status.version}, up for ${duration(status.uptimeSeconds)}. These are the numbers of the one gateway that answered; Prometheus has all.`,
    ),
  ];
}

function showNumbers({ status, body }) {
  if (status === 200) renew(byId("numbers"), numbers(body));
  else
    renew(byId("numbers"), [
      h(
        "p",
        { class: "hint" },
        !access.token()
          ? "Requests, latency and breakers are shown to those with a token."
          : words(body.error).join(". "),
      ),
    ]);
}

async function look() {
  const [readiness, status] = await Promise.all([
    get("/health/ready"),
    access.token() ? get("/v1/status") : { status: 401, body: access.missing() },
  ]);
  showReadiness(readiness);
  showNumbers(status);
  byId("fresh").textContent =
    `As of ${new Date().toLocaleTimeString()}; looks again every ${EVERY_MS / 1000} seconds while this page is in front.`;
}

async function keepLooking() {
  if (!document.hidden) await look();
  setTimeout(keepLooking, EVERY_MS);
}

access.install(look);
document.addEventListener("visibilitychange", () => document.hidden || look());
keepLooking();
