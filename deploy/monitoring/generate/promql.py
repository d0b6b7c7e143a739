"""Turns of PromQL that several panels take. `$__rate_interval` is Grafana's: at least four scrapes."""

from __future__ import annotations

from deploy.monitoring.generate.panel import OURS

RATE = "$__rate_interval"
NO_PROBES = 'route!~"(/v2)?/health/.*|.*/Server(Live|Ready)"'
DIAGNOSES = 'route=~"(/functions)?/v1/ai-inference"'


def rate(metric: str, *matchers: str, by: str = "", window: str = RATE) -> str:
    """Of a counter, added up."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({metric}{{{', '.join((OURS, *matchers))}}}[{window}]))"


def share(metric: str, *chosen: str, of: tuple[str, ...] = (), by: str = "", window: str = RATE) -> str:
    """What is chosen of all, of each group; 0 where nothing was chosen yet."""
    part, whole = rate(metric, *chosen, by=by, window=window), rate(metric, *of, by=by, window=window)
    return f"({part} or 0 * {whole}) / {whole}"


def called(name: str, label: str, value: str, expression: str) -> str:
    """The series with that value of a label, under a name that says more."""
    return f'label_replace({expression}, "{label}", "{name}", "{label}", "{value}")'


def mean(histogram: str, *matchers: str, by: str = "", window: str = RATE) -> str:
    sums, counts = (rate(f"{histogram}_{what}", *matchers, by=by, window=window) for what in ("sum", "count"))
    return f"{sums} / {counts}"


def quantile(q: float, histogram: str, *matchers: str, by: str = "", window: str = RATE) -> str:
    grouping = f"{by}, le" if by else "le"
    return f"histogram_quantile({q}, {rate(f'{histogram}_bucket', *matchers, by=grouping, window=window)})"
