"""The dashboard of who makes the app: what clients report of the device, the cloud, and the way between them."""

from __future__ import annotations

from deploy.monitoring.generate.panel import dashboard, plot, query, stat
from deploy.monitoring.generate.promql import RATE, quantile, rate, share

EVENTS = "frond_client_events_total"
SECONDS = "frond_client_seconds"
ON_DEVICE, IN_CLOUD = 'event=~"device_inference_.*"', 'event=~"cloud_inference_.*"'
DEVICE_FAILED, CLOUD_FAILED = 'event="device_inference_failure"', 'event="cloud_inference_failure"'
FELL_BACK = 'event="fallback"'
REPORTED = "As clients report; they may sample, and claim what they like."


def fallbacks(window: str) -> str:
    """The share that falls back, of what the device was asked."""
    return share(EVENTS, FELL_BACK, of=(ON_DEVICE,), window=window)


NOW = [
    stat(
        "Fall back to the cloud",
        query(fallbacks("1h")),
        unit="percentunit",
        decimals=1,
        limit=0.1,
        description=REPORTED,
    ),
    stat(
        "Fail on the device",
        query(share(EVENTS, DEVICE_FAILED, of=(ON_DEVICE,), window="1h")),
        unit="percentunit",
        decimals=1,
    ),
    stat(
        "Fail in the cloud",
        query(share(EVENTS, CLOUD_FAILED, of=(IN_CLOUD,), window="1h")),
        unit="percentunit",
        decimals=1,
    ),
    stat(
        "Cloud, p95",
        query(quantile(0.95, SECONDS, 'event="cloud_inference_success"', window="1h")),
        unit="s",
        limit=5,
        description="As the user waits: with uploads and retries.",
    ),
]

FALLBACKS = [
    plot("Share that falls back", query(fallbacks(RATE), "falls back"), unit="percentunit", limit=0.1),
    plot(
        "Why",
        query(rate("frond_client_fallbacks_total", by="reason"), "{{reason}}"),
        unit="ops",
        is_stacked=True,
        description="Why the device's answer was not enough.",
    ),
    plot("Events", query(rate(EVENTS, by="event"), "{{event}}"), unit="ops", description=REPORTED),
]

WAITS = [
    plot("Waits, p95", query(quantile(0.95, SECONDS, by="event"), "{{event}}"), unit="s"),
    plot("Waits, half", query(quantile(0.5, SECONDS, by="event"), "{{event}}"), unit="s"),
    plot(
        "Failures by code",
        query(rate("frond_client_failures_total", by="event, code"), "{{event}}: {{code}}"),
        unit="ops",
    ),
]

BOARD = dashboard(
    "frond-client",
    "Client",
    "What clients report of the device, the cloud, and the way between them.",
    {"Now": NOW, "Fallbacks": FALLBACKS, "What users see": WAITS},
)
