"""A Prometheus that is asked over its HTTP API."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2

from cli.failure import Failure
from stack.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Series:
    """(seconds since the epoch, value); what is not finite is left out."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class Prometheus:
    """Raises `Failure` when it does not answer, or refuses a query."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client = httpx2.Client(base_url=self.url, timeout=ANSWER_SECONDS, trust_env=LOOPBACK not in url)

    def over(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        found = self._ask("query_range", query=expression, start=start, end=end, step=step)
        return [series_of(each["metric"], each["values"]) for each in found]

    def at(self, expression: str, moment: float) -> list[Series]:
        return [
            series_of(each["metric"], [each["value"]]) for each in self._ask("query", query=expression, time=moment)
        ]

    def close(self) -> None:
        self._client.close()

    def _ask(self, what: str, **parameters: str | float) -> Any:
        try:
            content = self._client.post(f"/api/v1/{what}", data=parameters).json()
        except (httpx2.HTTPError, ValueError) as error:
            raise Failure(f"Prometheus at {self.url} does not answer: {error}") from error
        if content["status"] != "success":
            raise Failure(f"Prometheus refuses {parameters['query']}: {content['error']}")
        return content["data"]["result"]


def series_of(labels: Mapping[str, str], values: list[tuple[float, str]]) -> Series:
    points = ((moment, float(value)) for moment, value in values)
    return Series(labels, tuple(point for point in points if math.isfinite(point[1])))
