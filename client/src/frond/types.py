"""The wire contract of Frond's HTTP service: the one definition, which the gateway and the OpenAPI document use too."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AnyUrl, AwareDatetime, BaseModel, ConfigDict, Field, UrlConstraints
from pydantic.alias_generators import to_camel

MAX_IMAGES = 8
MAX_IMAGE_BYTES = 20 * 1024 * 1024
MAX_IMAGE_PIXELS = 50_000_000
MAX_TOP_K = 100
MAX_TELEMETRY_EVENTS = 100  # a batch

# No control characters: PostgreSQL stores no U+0000, and a log line or a header must stay one line.
Identifier = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="lower-case hexadecimal")]
ContentType = Literal["image/jpeg", "image/png", "image/webp", "image/heic"]
ImageUrl = Annotated[AnyUrl, UrlConstraints(max_length=2048, allowed_schemes=["http", "https"])]


class WireModel(BaseModel):
    """camelCase on the wire, snake_case in Python; unknown fields are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="forbid", frozen=True
    )


class PlantContext(WireModel):
    """The plant as the app knows it; kept with the diagnosis, not used by the model."""

    id: Identifier
    species: Identifier | None = None


class ImageDeclaration(WireModel):
    """What a photo is said to be; it is held to it."""

    sha256: Sha256
    content_type: ContentType
    bytes: int = Field(ge=1, le=MAX_IMAGE_BYTES, description="size of the photo")


class ImageReference(ImageDeclaration):
    """A photo that was uploaded before."""

    url: ImageUrl = Field(description="the signed download URL that the upload answered with")


class ClientInfo(WireModel):
    """Who asks, and why the device did not answer."""

    app_version: Identifier | None = None
    platform: Identifier | None = None
    fallback_reason: Identifier | None = None


class DiagnosisDetails(WireModel):
    """What both forms of the request share."""

    assessment_id: Identifier
    plant_context: PlantContext
    client: ClientInfo | None = None
    model_version: Identifier | None = Field(None, description="a served version; null: the one that is promoted")
    top_k: int = Field(5, ge=1, le=MAX_TOP_K, description="how many predictions at most")


class DiagnosisRequest(DiagnosisDetails):
    """The JSON form: photos by reference."""

    images: list[ImageReference] = Field(min_length=1, max_length=MAX_IMAGES)


class MultipartDetails(DiagnosisDetails):
    """The part `request` of the multipart form: the photos follow as parts `images`, and may be declared here."""

    images: list[ImageDeclaration] | None = Field(
        None, max_length=MAX_IMAGES, description="one for each part `images`, in their order"
    )


class Prediction(WireModel):
    """One label with its calibrated probability."""

    label: str
    crop: str
    condition: str
    healthy: bool
    confidence: float = Field(ge=0, le=1)


class AbstainReason(StrEnum):
    """Why an answer names no diagnosis to act on."""

    NOT_A_LEAF = "not_a_leaf"
    LOW_CONFIDENCE = "low_confidence"


class ErrorCategory(StrEnum):
    """What kind of failure, which decides what a caller does next."""

    VALIDATION = "validation"
    AUTH = "auth"
    TIMEOUT = "timeout"
    SERVER = "server"
    NETWORK = "network"  # made by the client, never sent


class Error(WireModel):
    """Why there is no answer, and whether asking again can help."""

    category: ErrorCategory
    code: str = Field(description="stable; see the reference of error codes")
    message: str
    retryable: bool
    retry_after_ms: int | None = Field(None, description="wait this long before the same request is sent again")


class ImageDiagnosis(WireModel):
    """One photo's share of the diagnosis, in the order of the request; a photo that could not be read has an error."""

    sha256: Sha256
    predictions: list[Prediction]
    abstained: bool = False
    abstain_reason: AbstainReason | None = None
    error: Error | None = None


class ModelInfo(WireModel):
    """Which model answered, and how far its confidence can be trusted."""

    name: str
    version: str
    temperature: float = Field(description="of temperature scaling (Guo et al. 2017)")
    calibration_error: float | None = Field(
        description="expected calibration error on held-out data; null: not measured"
    )


class Timing(WireModel):
    """Milliseconds: waiting for Triton, decoding photos, inferring, and all of the request."""

    queue: float
    decode: float
    infer: float
    total: float


class Diagnosis(WireModel):
    """The answer for all photos of an assessment together, and for each."""

    predictions: list[Prediction] = Field(description="most probable first")
    abstained: bool
    abstain_reason: AbstainReason | None
    images: list[ImageDiagnosis]
    model: ModelInfo
    degraded: bool = Field(default=False, description="another release answered, because the promoted one is out")
    timing_ms: Timing


class DiagnosisResponse(WireModel):
    """The envelope of every answer: `result` or `error`, never both."""

    success: bool
    request_id: str
    result: Diagnosis | None = None
    error: Error | None = None


class UploadRequest(ImageDeclaration):
    """The photo that will be uploaded; the signature binds all of it."""


class UploadTicket(WireModel):
    """Where to PUT the photo, and the URL to name in the diagnosis request afterwards."""

    upload_url: AnyUrl
    upload_headers: dict[str, str] = Field(description="to be sent with the PUT as they are")
    upload_expires_in_seconds: int
    download_url: AnyUrl
    download_expires_in_seconds: int


class UploadResponse(WireModel):
    """The envelope of `POST /v1/uploads`."""

    success: bool
    request_id: str
    result: UploadTicket | None = None
    error: Error | None = None


class TelemetryKind(StrEnum):
    """What happened on the client."""

    CLOUD_INFERENCE_SUCCESS = "cloud_inference_success"
    CLOUD_INFERENCE_FAILURE = "cloud_inference_failure"
    IMAGE_UPLOAD = "image_upload"
    IDEMPOTENCY_HIT = "idempotency_hit"
    DEVICE_INFERENCE_SUCCESS = "device_inference_success"
    DEVICE_INFERENCE_FAILURE = "device_inference_failure"
    FALLBACK = "fallback"


class InferenceMode(StrEnum):
    """Where an assessment may be diagnosed."""

    AUTO = "auto"  # on the device first, in the cloud where that is not enough
    DEVICE = "device"
    CLOUD = "cloud"


class FallbackReason(StrEnum):
    """Why the device's answer was not enough."""

    DEVICE_UNAVAILABLE = "device_unavailable"
    DEVICE_FAILED = "device_failed"
    DEVICE_TIMEOUT = "device_timeout"
    DEVICE_LOW_CONFIDENCE = "device_low_confidence"
    DEVICE_SLOW = "device_slow"  # hedged: the cloud was asked before the device gave up


class TelemetryEvent(WireModel):
    """One thing that happened on the client; it has no field for a photo, a user or a place."""

    event: TelemetryKind
    at: AwareDatetime
    duration_ms: float | None = Field(None, ge=0, le=600_000)
    category: ErrorCategory | None = Field(None, description="of a failure")
    code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")] | None = Field(None, description="of a failure")
    mode: InferenceMode | None = None
    fallback_reason: FallbackReason | None = None


class TelemetryBatch(WireModel):
    """The body of `POST /v1/telemetry`."""

    events: list[TelemetryEvent] = Field(min_length=1, max_length=MAX_TELEMETRY_EVENTS)


class TelemetryReceipt(WireModel):
    """How many events were counted."""

    taken: int


class TelemetryResponse(WireModel):
    """The envelope of `POST /v1/telemetry`."""

    success: bool
    request_id: str
    result: TelemetryReceipt | None = None
    error: Error | None = None
