// The wire contract of Frond, generated from its OpenAPI document: `make typescript`. Do not edit.

/** Why an answer names no diagnosis to act on. */
export type AbstainReason = "not_a_leaf" | "low_confidence";

/** Who asks, and why the device did not answer. */
export interface ClientInfo {
  /** pattern ^[^\x00-\x1f\x7f]+$, minLength 1, maxLength 200 */
  appVersion?: string | null;
  /** pattern ^[^\x00-\x1f\x7f]+$, minLength 1, maxLength 200 */
  platform?: string | null;
  /** pattern ^[^\x00-\x1f\x7f]+$, minLength 1, maxLength 200 */
  fallbackReason?: string | null;
}

/** The answer for all photos of an assessment together, and for each. */
export interface Diagnosis {
  /** most probable first */
  predictions: Prediction[];
  abstained: boolean;
  abstainReason: AbstainReason | null;
  images: ImageDiagnosis[];
  model: ModelInfo;
  /** another release answered, because the promoted one is out */
  degraded?: boolean;
  timingMs: Timing;
}

/** The JSON form: photos by reference. */
export interface DiagnosisRequest {
  /** pattern ^[^\x00-\x1f\x7f]+$, minLength 1, maxLength 200 */
  assessmentId: string;
  plantContext: PlantContext;
  client?: ClientInfo | null;
  /** a served version; null: the one that is promoted; pattern ^[^\x00-\x1f\x7f]+$, minLength 1, maxLength 200 */
  modelVersion?: string | null;
  /** how many predictions at most; minimum 1, maximum 100 */
  topK?: number;
  /** minItems 1, maxItems 8 */
  images: ImageReference[];
}

/** The envelope of every answer: `result` or `error`, never both. */
export interface DiagnosisResponse {
  success: boolean;
  requestId: string;
  result?: Diagnosis | null;
  error?: WireError | null;
}

/** Why there is no answer, and whether asking again can help. */
export interface WireError {
  category: ErrorCategory;
  /** stable; see the reference of error codes */
  code: string;
  message: string;
  retryable: boolean;
  /** wait this long before the same request is sent again */
  retryAfterMs?: number | null;
}

/** What kind of failure, which decides what a caller does next. */
export type ErrorCategory = "validation" | "auth" | "timeout" | "server" | "network";

/** Why the device's answer was not enough. */
export type FallbackReason = "device_unavailable" | "device_failed" | "device_timeout" | "device_low_confidence" | "device_slow";

/** What a photo is said to be; it is held to it. */
export interface ImageDeclaration {
  /** lower-case hexadecimal; pattern ^[0-9a-f]{64}$ */
  sha256: string;
  contentType: "image/jpeg" | "image/png" | "image/webp" | "image/heic";
  /** size of the photo; minimum 1, maximum 20971520 */
  bytes: number;
}

/** One photo's share of the diagnosis, in the order of the request; a photo that could not be read has an error. */
export interface ImageDiagnosis {
  /** lower-case hexadecimal; pattern ^[0-9a-f]{64}$ */
  sha256: string;
  predictions: Prediction[];
  abstained?: boolean;
  abstainReason?: AbstainReason | null;
  error?: WireError | null;
}

/** A photo that was uploaded before. */
export interface ImageReference {
  /** lower-case hexadecimal; pattern ^[0-9a-f]{64}$ */
  sha256: string;
  contentType: "image/jpeg" | "image/png" | "image/webp" | "image/heic";
  /** size of the photo; minimum 1, maximum 20971520 */
  bytes: number;
  /** the signed download URL that the upload answered with; format uri, minLength 1, maxLength 2048 */
  url: string;
}

/** Where an assessment may be diagnosed. */
export type InferenceMode = "auto" | "device" | "cloud";

export interface Liveness {
  live: boolean;
}

/** The model that answers where a request names no version. */
export interface ModelCard {
  version: string;
  /** all that can be named as `modelVersion` */
  releases: string[];
  /** its `card.json`: what was measured, on what, with intervals; null: nobody measured it */
  card: Record<string, unknown> | null;
}

/** Which model answered, and how far its confidence can be trusted. */
export interface ModelInfo {
  name: string;
  version: string;
  /** of temperature scaling (Guo et al. 2017) */
  temperature: number;
  /** expected calibration error on held-out data; null: not measured */
  calibrationError: number | null;
}

/** The part `request` of the multipart form: the photos follow as parts `images`, and may be declared here. */
export interface MultipartDetails {
  /** pattern ^[^\x00-\x1f\x7f]+$, minLength 1, maxLength 200 */
  assessmentId: string;
  plantContext: PlantContext;
  client?: ClientInfo | null;
  /** a served version; null: the one that is promoted; pattern ^[^\x00-\x1f\x7f]+$, minLength 1, maxLength 200 */
  modelVersion?: string | null;
  /** how many predictions at most; minimum 1, maximum 100 */
  topK?: number;
  /** one for each part `images`, in their order; maxItems 8 */
  images?: ImageDeclaration[] | null;
}

/** A part that a request needs, and what is wrong with it. */
export interface Part {
  ready: boolean;
  reason: string | null;
}

/** The plant as the app knows it; kept with the diagnosis, not used by the model. */
export interface PlantContext {
  /** pattern ^[^\x00-\x1f\x7f]+$, minLength 1, maxLength 200 */
  id: string;
  /** pattern ^[^\x00-\x1f\x7f]+$, minLength 1, maxLength 200 */
  species?: string | null;
}

/** One label with its calibrated probability. */
export interface Prediction {
  label: string;
  crop: string;
  condition: string;
  healthy: boolean;
  /** minimum 0, maximum 1 */
  confidence: number;
}

export interface ReadinessReport {
  ready: boolean;
  draining: boolean;
  parts: Record<string, Part>;
}

/** Diagnosis requests of the last minutes, in this process. */
export interface RecentDiagnoses {
  /** how long ago they begin */
  seconds: number;
  answered: number;
  /** by the category of their errors */
  failed: Record<string, number>;
  replayed: number;
  p50Ms: number | null;
  p95Ms: number | null;
}

/** What the gateway that answered knows of itself: one of several knows nothing of the others. */
export interface ServiceStatus {
  version: string;
  uptimeSeconds: number;
  recent: RecentDiagnoses;
  tritons: TritonStatus[];
}

/** The body of `POST /v1/telemetry`. */
export interface TelemetryBatch {
  /** minItems 1, maxItems 100 */
  events: TelemetryEvent[];
}

/** One thing that happened on the client; it has no field for a photo, a user or a place. */
export interface TelemetryEvent {
  event: TelemetryKind;
  /** format date-time */
  at: string;
  /** minimum 0, maximum 600000 */
  durationMs?: number | null;
  /** of a failure */
  category?: ErrorCategory | null;
  /** of a failure; pattern ^[a-z0-9_]{1,64}$ */
  code?: string | null;
  mode?: InferenceMode | null;
  fallbackReason?: FallbackReason | null;
}

/** What happened on the client. */
export type TelemetryKind = "cloud_inference_success" | "cloud_inference_failure" | "image_upload" | "idempotency_hit" | "device_inference_success" | "device_inference_failure" | "fallback";

/** How many events were counted. */
export interface TelemetryReceipt {
  taken: number;
}

/** The envelope of `POST /v1/telemetry`. */
export interface TelemetryResponse {
  success: boolean;
  requestId: string;
  result?: TelemetryReceipt | null;
  error?: WireError | null;
}

/** Milliseconds: waiting for Triton, decoding photos, inferring, and all of the request. */
export interface Timing {
  queue: number;
  decode: number;
  infer: number;
  total: number;
}

/** One Triton, without its address. */
export interface TritonStatus {
  /** closed: it is asked; open: it is not; half_open: it is being tried */
  breaker: "closed" | "half_open" | "open";
  inFlight: number;
  /** of Triton; null: it does not say now */
  version: string | null;
}

/** The photo that will be uploaded; the signature binds all of it. */
export interface UploadRequest {
  /** lower-case hexadecimal; pattern ^[0-9a-f]{64}$ */
  sha256: string;
  contentType: "image/jpeg" | "image/png" | "image/webp" | "image/heic";
  /** size of the photo; minimum 1, maximum 20971520 */
  bytes: number;
}

/** The envelope of `POST /v1/uploads`. */
export interface UploadResponse {
  success: boolean;
  requestId: string;
  result?: UploadTicket | null;
  error?: WireError | null;
}

/** Where to PUT the photo, and the URL to name in the diagnosis request afterwards. */
export interface UploadTicket {
  /** format uri, minLength 1 */
  uploadUrl: string;
  /** to be sent with the PUT as they are */
  uploadHeaders: Record<string, string>;
  uploadExpiresInSeconds: number;
  /** format uri, minLength 1 */
  downloadUrl: string;
  downloadExpiresInSeconds: number;
}

/** What each operation takes and answers. */
export interface Operations {
  /** Diagnose the photos of one assessment */
  "POST /v1/ai-inference": {
    body: DiagnosisRequest | FormData;
    answer: DiagnosisResponse;
  };
  /** Ask for the URLs of a photo */
  "POST /v1/uploads": {
    body: UploadRequest;
    answer: UploadResponse;
  };
  /** Report what happened on the client */
  "POST /v1/telemetry": {
    body: TelemetryBatch;
    answer: TelemetryResponse;
  };
  /** Whether the process serves */
  "GET /health/live": {
    body: undefined;
    answer: Liveness;
  };
  /** Whether load balancers shall send requests here: until it drains */
  "GET /health/serving": {
    body: undefined;
    answer: Liveness;
  };
  /** Whether a request would be answered: database, Triton and a synthetic inference */
  "GET /health/ready": {
    body: undefined;
    answer: ReadinessReport;
  };
  /** How the service is doing: requests, latency, breakers, versions */
  "GET /v1/status": {
    body: undefined;
    answer: ServiceStatus;
  };
  /** The card of the model that is served */
  "GET /v1/model": {
    body: undefined;
    answer: ModelCard;
  };
  /** Download a photo from its signed URL */
  "GET /v1/storage/{user_id}/{name}": {
    body: undefined;
    answer: undefined;
  };
  /** Upload a photo to its signed URL */
  "PUT /v1/storage/{user_id}/{name}": {
    body: Blob;
    answer: undefined;
  };
}
