// A diagnosis from a mobile or web app: one request with its photos, tried again under one key while there is time.

import type { DiagnosisResponse, Error as FrondError, MultipartDetails } from "./frond";

const DEADLINE_MS = 8000;

/** Photos → the envelope; `error.category` decides what the app does next. Network errors have its form too. */
export async function diagnose(
  base: string,
  token: string,
  photos: Blob[],
  details: MultipartDetails,
): Promise<DiagnosisResponse> {
  const key = crypto.randomUUID(); // one for all tries: the service answers it once
  const until = Date.now() + DEADLINE_MS;
  for (let attempt = 0; ; attempt++) {
    const answer = await ask(base, token, key, photos, details, until - Date.now());
    if (!answer.error?.retryable) return answer;
    const pause = answer.error.retryAfterMs ?? Math.random() * 250 * 2 ** attempt;
    if (Date.now() + pause >= until) return answer;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function ask(
  base: string,
  token: string,
  key: string,
  photos: Blob[],
  details: MultipartDetails,
  leftMs: number,
): Promise<DiagnosisResponse> {
  const body = new FormData();
  body.append("request", new Blob([JSON.stringify(details)], { type: "application/json" }));
  for (const photo of photos) body.append("images", photo);
  const headers = {
    Authorization: `Bearer ${token}`,
    "Idempotency-Key": key,
    "X-Frond-Deadline-Ms": String(Math.max(1, Math.floor(leftMs))),
  };
  try {
    const answer = await fetch(`${base}/v1/ai-inference`, {
      method: "POST",
      headers,
      body,
      signal: AbortSignal.timeout(Math.max(1, leftMs)),
    });
    return (await answer.json()) as DiagnosisResponse;
  } catch (cause) {
    const isLate = cause instanceof DOMException && cause.name === "TimeoutError";
    return isLate ? failure("timeout", "deadline_exceeded", false) : failure("network", "connection_failed", true);
  }
}

function failure(category: FrondError["category"], code: string, retryable: boolean): DiagnosisResponse {
  return { success: false, requestId: "", error: { category, code, message: "No answer arrived.", retryable } };
}
