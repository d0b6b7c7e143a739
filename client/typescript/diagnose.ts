// One diagnosis from a mobile or web app, tried again under one key while there is time. Copy it with `frond.ts`. It
// needs `fetch`, `FormData`, `AbortController` and timers, which browsers, Expo and React Native have: nothing else.

import type { Diagnosis, DiagnosisResponse, MultipartDetails, WireError } from "./frond";

/** A Blob where `fetch` is the web's or Expo's; a file by its address where it is React Native's own. */
export type Photo = Blob | { uri: string; name: string; type: string };

export interface Call {
  baseUrl: string;
  token: string;
  photos: Photo[];
  details: MultipartDetails;
  /** a UUID; that of an earlier call asks the same once more, and gets its answer if there was one */
  idempotencyKey?: string | undefined;
  /** for all tries together; the contract's 8 s if it is left out */
  timeoutMs?: number | undefined;
  /** the app's own, to give up earlier */
  signal?: AbortSignal | undefined;
}

/** What is known of a call, however it ends. `requestId` names it in the service's log; empty: nothing was sent. */
export interface Trail {
  idempotencyKey: string;
  requestId: string;
  attempts: number;
}

interface Answered {
  success: true;
  requestId: string;
  diagnosis: Diagnosis;
  /** the stored answer of an earlier try */
  replayed: boolean;
}

interface Failed {
  success: false;
  requestId: string;
  error: WireError;
}

export type Outcome = Trail & (Answered | Failed);

const DEADLINE_MS = 8000;
const MIN_USEFUL_MS = 200; // with less left, the error that there is says more than a timeout
const BASE_MS = 200;
const CAP_MS = 2000;
const TOO_MANY_REQUESTS = 429;

// Steps of the device's wall clock change no deadline, where the platform has another one.
const clock = (globalThis as { performance?: { now(): number } }).performance ?? Date;

/** Over after `timeoutMs`, whatever the network does. A failure is no exception; its `error.category` says what now. */
export function diagnose(call: Call): Promise<Outcome> {
  const { signal, timeoutMs = DEADLINE_MS } = call;
  const trail: Trail = { idempotencyKey: call.idempotencyKey ?? uuid(), requestId: "", attempts: 0 };
  const stop = new AbortController();
  return new Promise((resolve, reject) => {
    const finish = (end: Answered | Failed) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
      stop.abort();
      resolve({ ...trail, ...end });
    };
    const cancel = () => finish(failed(trail, "network", "cancelled", "The app gave up."));
    const expire = () => finish(failed(trail, "timeout", "deadline_exceeded", "No answer came in time."));
    const timer = setTimeout(expire, timeoutMs);
    if (signal?.aborted) return cancel();
    signal?.addEventListener("abort", cancel);
    void untilAnswered(call, trail, clock.now() + timeoutMs, stop.signal).then(finish, reject);
  });
}

async function untilAnswered(call: Call, trail: Trail, until: number, stop: AbortSignal): Promise<Answered | Failed> {
  const name = uuid();
  for (;;) {
    trail.attempts += 1;
    trail.requestId = `${name}-${trail.attempts}`;
    const end = await ask(call, trail, until - clock.now(), stop);
    if (stop.aborted || end.success || !end.error.retryable) return end;
    // What the service asks for in full, and chance on top: all whom it turned away would otherwise come back at once.
    const jitter = Math.random() * Math.min(CAP_MS, BASE_MS * 2 ** (trail.attempts - 1));
    const pause = (end.error.retryAfterMs ?? 0) + jitter;
    if (clock.now() + pause + MIN_USEFUL_MS > until) return end;
    await wait(pause, stop);
    if (stop.aborted) return end;
  }
}

async function ask(call: Call, trail: Trail, leftMs: number, signal: AbortSignal): Promise<Answered | Failed> {
  const headers = {
    Authorization: `Bearer ${call.token}`,
    "Idempotency-Key": trail.idempotencyKey,
    "X-Frond-Deadline-Ms": String(Math.max(0, Math.floor(leftMs))),
    "X-Request-Id": trail.requestId,
  };
  const sent = { method: "POST", headers, body: form(call), signal };
  try {
    const answer = await fetch(`${call.baseUrl}/v1/ai-inference`, sent);
    return judge(answer, await answer.text(), trail);
  } catch (cause) {
    const message = `No answer arrived: ${String(cause)}`;
    // What Expo's `fetch` says of a photo that is no Blob.
    if (message.includes("FormDataPart")) return failed(trail, "validation", "photo_unsendable", message);
    return failed(trail, "network", "connection_failed", message, { retryable: true });
  }
}

function form(call: Call): FormData {
  const body = new FormData();
  body.append("request", JSON.stringify(call.details)); // no Blob: React Native's form sends none
  for (const photo of call.photos) body.append("images", photo as Blob);
  return body;
}

/** The service's envelope, or what a proxy or the portal of a hotel said in its place. */
function judge(answer: Response, text: string, trail: Trail): Answered | Failed {
  const envelope = parsed(text);
  const requestId = envelope?.requestId ?? trail.requestId;
  if (envelope?.success === true && envelope.result) {
    const replayed = answer.headers.get("Idempotency-Replayed") === "true";
    return { success: true, requestId, diagnosis: envelope.result, replayed };
  }
  if (envelope?.success === false && envelope.error) return { success: false, requestId, error: envelope.error };
  const message = `The answer, status ${answer.status}, is not one of Frond's.`;
  const retryable = answer.status === TOO_MANY_REQUESTS || answer.status >= 500;
  return failed(trail, "server", "answer_invalid", message, { retryable, retryAfterMs: retryAfterMs(answer) });
}

function parsed(text: string): Partial<DiagnosisResponse> | null {
  try {
    return JSON.parse(text) as Partial<DiagnosisResponse> | null;
  } catch {
    return null;
  }
}

/** Of whole seconds; a date is left out, since the device's clock may be off. */
function retryAfterMs(answer: Response): number | null {
  const text = answer.headers.get("Retry-After") ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) * 1000 : null;
}

function failed(
  trail: Trail,
  category: WireError["category"],
  code: string,
  message: string,
  retry: Pick<WireError, "retryable" | "retryAfterMs"> = { retryable: false },
): Failed {
  return { success: false, requestId: trail.requestId, error: { category, code, message, ...retry } };
}

function wait(pauseMs: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, pauseMs);
    stop.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Version 7 (RFC 9562), of clock and chance: React Native has no `crypto`, and the name of a request is no secret. */
function uuid(): string {
  const time = Date.now().toString(16).padStart(12, "0");
  const variant = "89ab".charAt(Math.random() * 4);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digits(3)}-${variant}${digits(3)}-${digits(12)}`;
}

function digits(count: number): string {
  return Array.from({ length: count }, () => Math.floor(Math.random() * 16).toString(16)).join("");
}
