"""What an app may set once for a client; every part has a default that fits a phone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from frond.exchange import Wire
from frond.policy.photos import PhotoPolicy
from frond.policy.retry import RetryPolicy
from frond.reports import Reporting
from frond.telemetry import Telemetry

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """How photos are made ready, what is tried again, how the service is reached, and what is reported to it.

    `tracer`: OpenTelemetry's, for a span of each call and each attempt; without one it is the app's own provider's, if
    the app uses OpenTelemetry.
    """

    photos: PhotoPolicy = field(default_factory=PhotoPolicy)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    wire: Wire = field(default_factory=Wire)
    reporting: Reporting = field(default_factory=Reporting)
    telemetry: Telemetry = field(default_factory=Telemetry)
    tracer: Tracer | None = None
