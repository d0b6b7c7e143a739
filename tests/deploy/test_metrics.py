"""How series are found in PromQL."""

from __future__ import annotations

import pytest

from tests.deploy.metrics import Selector, missing, samples, selectors

EXPORTED = samples(
    "# TYPE requests counter\n"
    'requests_total{route="/v1/ai-inference",status="200"} 3\n'
    "# TYPE queue_us counter\n"
    'queue_us{model="a",text="} \\" {"} 3\n'
    "# TYPE seconds histogram\n"
    'seconds_bucket{le="0.1"} 1\nseconds_bucket{le="+Inf"} 1\nseconds_sum 0.05\nseconds_count 1\n'
)


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("up", ["up"]),
        ("sum(rate(requests_total[5m])) by (route) > 1e6", ["requests_total"]),
        ("sum by (le, route) (rate(seconds_bucket{route='/x'}[1m] offset 5m))", ["seconds_bucket"]),
        ("histogram_quantile(0.95, sum by(le)(rate(seconds_bucket[5m]))) > 5", ["seconds_bucket"]),
        ("a:b:rate5m / on (pod) group_left (node) c unless bool_metric and d", ["a:b:rate5m", "c", "bool_metric", "d"]),
        ('x{text="not_a_metric{y}"} or vector(0)', ["x"]),
        ("clamp_min(max_over_time(x[1h:5m]), 0.1) + time() - 0x1f", ["x"]),
        ('count_values without (instance) ("version", build_info)', ["build_info"]),
    ],
)
def test_metrics_are_told_from_functions_labels_and_texts(expression: str, names: list[str]) -> None:
    assert [selector.name for selector in selectors(expression)] == names


def test_matchers_come_along() -> None:
    (selector,) = selectors('rate(requests_total{route=~"/v1/.*",status!="200"}[5m])')
    assert selector == Selector("requests_total", (("route", "=~", "/v1/.*"), ("status", "!=", "200")))


@pytest.mark.parametrize(
    "expression",
    [
        'rate(requests_total{namespace="frond",route=~"/v1/.*"}[5m])',
        'seconds_bucket{le="0.1"} / ignoring (le) seconds_count',
        'requests_total{category=""}',
        'queue_us{model="a"}',  # a counter of Triton's, without _total
    ],
)
def test_what_is_exported_is_not_missed(expression: str) -> None:
    assert missing(expression, EXPORTED) == []


@pytest.mark.parametrize(
    "expression",
    [
        "rate(request_total[5m])",
        "requests_total{rout='x'}",
        'requests_total{status="20"}',
        "seconds_bucket{le='0.3'}",
        "seconds",
    ],
)
def test_what_is_not_exported_is_missed(expression: str) -> None:
    assert len(missing(expression, EXPORTED)) == 1
