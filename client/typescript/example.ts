// A page with a file input: the photo without its location, the diagnosis, and what the user reads.

import { diagnose, type Outcome } from "./diagnose";

const MAX_SIDE = 1600;

/** Upright, small, and drawn anew: the pixels go on, and EXIF with its location stays. */
export async function withoutLocation(photo: Blob): Promise<Blob> {
  const drawn = await createImageBitmap(photo);
  const scale = Math.min(1, MAX_SIDE / Math.max(drawn.width, drawn.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(drawn.width * scale);
  canvas.height = Math.round(drawn.height * scale);
  canvas.getContext("2d")?.drawImage(drawn, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The photo is too large."))), "image/jpeg", 0.87);
  });
}

export async function onPhotos(files: FileList, baseUrl: string, token: string, signal: AbortSignal): Promise<string> {
  const photos = await Promise.all(Array.from(files, withoutLocation));
  const details = { assessmentId: "assessment-456", plantContext: { id: "plant-123" } };
  return told(await diagnose({ baseUrl, token, photos, details, signal }));
}

export function told(outcome: Outcome): string {
  if (outcome.success) {
    const first = outcome.diagnosis.predictions[0];
    if (outcome.diagnosis.abstained || !first) return "No diagnosis: take a photo of one leaf, near and in focus.";
    return `${first.crop}, ${first.condition}: ${Math.round(first.confidence * 100)} %`;
  }
  switch (outcome.error.category) {
    case "auth":
      return "Please sign in again.";
    case "validation":
      return `This cannot be diagnosed: ${outcome.error.message}`;
    case "timeout":
    case "network":
    case "server":
      return "No answer came. Try again?"; // with outcome.idempotencyKey
  }
}
