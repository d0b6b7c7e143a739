"""The last minutes of a gateway: differences of its counters, and quantiles as Prometheus computes them."""

from __future__ import annotations

import math

from gateway.metrics import Metrics
from gateway.status.window import SAMPLES, Sample, Window, between, quantile, read


def answered(metrics: Metrics, seconds: float, category: str = "none", route: str = "/v1/ai-inference") -> None:
    metrics.requests.labels(route, "200", category, "none").inc()
    metrics.request_seconds.labels(route).observe(seconds)


def test_only_what_happened_since_the_oldest_sample_counts() -> None:
    metrics = Metrics()
    answered(metrics, 7.0, "server")
    window = Window(lambda: read(metrics))
    for seconds in (0.02, 0.02, 0.02):
        answered(metrics, seconds)
    answered(metrics, 1.5, "timeout")
    metrics.idempotency.labels("replayed").inc()
    recent = window.recent()
    assert recent.categories == {"none": 3, "timeout": 1}
    assert recent.replayed == 1
    assert recent.p50_seconds is not None
    assert 0.01 < recent.p50_seconds <= 0.025
    assert recent.p95_seconds is not None
    assert 1 < recent.p95_seconds <= 2


def test_other_routes_do_not_count_and_the_alias_does() -> None:
    metrics = Metrics()
    window = Window(lambda: read(metrics))
    answered(metrics, 0.1, route="/health/ready")
    answered(metrics, 0.1, route="/functions/v1/ai-inference")
    assert window.recent().categories == {"none": 1}


def test_without_requests_there_is_no_quantile() -> None:
    metrics = Metrics()
    recent = Window(lambda: read(metrics)).recent()
    assert (recent.p50_seconds, recent.p95_seconds, recent.categories) == (None, None, {})


def test_what_took_longer_than_the_last_bound_counts_as_that() -> None:
    assert quantile({1.0: 0, 8.0: 0, math.inf: 4}, 0.5) == 8.0


def test_within_a_bucket_it_is_linear() -> None:
    assert quantile({1.0: 10, 2.0: 20, math.inf: 20}, 0.75) == 1.5


def test_a_full_window_forgets_the_oldest() -> None:
    times = iter(range(1000))
    window = Window(lambda: Sample(next(times), {}, 0, {}))
    for _ in range(SAMPLES):
        window.note()
    assert window.recent().seconds == SAMPLES


def test_a_category_without_a_difference_is_left_out() -> None:
    first, last = (Sample(at, {"none": 3, "auth": count}, 0, {}) for at, count in ((0.0, 1), (1.0, 2)))
    assert between(first, last).categories == {"auth": 1}
