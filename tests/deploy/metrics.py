"""Which series PromQL asks for, and whether a running stack exports them: for autoscalers, alerts and panels alike."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# What Prometheus adds when it scrapes: no exporter says these.
BY_SCRAPING = {"namespace", "pod", "container", "job", "instance", "endpoint", "node"}
GROUPINGS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
KEYWORDS = GROUPINGS | {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"}
TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>\d[\w.]*(?:(?<=e)[+-]\d+)?)|(?P<name>[a-zA-Z_:][\w:]*)
    |(?P<sign>=~|!~|!=|[^\s])""",
    re.VERBOSE,
)
LABEL = re.compile(r"""(\w+)=("(?:[^"\\]|\\.)*")""")
SAMPLE = re.compile(r"""([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? \S""")


@dataclass(frozen=True, slots=True)
class Series:
    """One sample's name and labels."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Selector:
    """What an expression asks for: a metric, and (label, operator, value) of each matcher."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]

    def matches(self, series: Series) -> bool:
        return self.name == series.name and all(
            fits(operator, value, series.labels.get(label, ""))
            for label, operator, value in self.matchers
            if label not in BY_SCRAPING
        )


def fits(operator: str, wanted: str, found: str) -> bool:
    is_match = re.fullmatch(wanted, found) is not None if "~" in operator else wanted == found
    return is_match != operator.startswith("!")


def selectors(expression: str) -> list[Selector]:
    """Of PromQL, in order; recording rules' names are metrics too. Functions and groupings are none."""
    tokens = [(matched.lastgroup, matched[0]) for matched in TOKEN.finditer(expression)] + [("end", "")]
    found, at = [], 0
    while at < len(tokens) - 1:
        kind, token = tokens[at]
        at += 1
        following = tokens[at][1]
        if token == "[":
            at = past(tokens, at, "]")
        elif kind != "name":
            continue
        elif token in GROUPINGS and following == "(":
            at = past(tokens, at, ")")
        elif token not in KEYWORDS and following not in {"(", "by", "without"}:
            end = past(tokens, at, "}") if following == "{" else at
            found.append(Selector(token, tuple(matchers([each for _, each in tokens[at:end]]))))
            at = end
    return found


def past(tokens: list[tuple[str | None, str]], at: int, closing: str) -> int:
    """The place behind the next closing sign; one within a text is none."""
    return next(index + 1 for index in range(at, len(tokens)) if tokens[index] == ("sign", closing))


def matchers(tokens: list[str]) -> Iterator[tuple[str, str, str]]:
    for index, token in enumerate(tokens):
        if token in {"=", "!=", "=~", "!~"}:
            yield tokens[index - 1], token, tokens[index + 1][1:-1]


def samples(*expositions: str) -> list[Series]:
    """Of what `/metrics` answered, as Prometheus names them; prometheus_client would add `_total` to some."""
    lines = [line for text in expositions for line in text.splitlines() if line and not line.startswith("#")]
    return [series(line) for line in lines]


def series(line: str) -> Series:
    matched = SAMPLE.match(line)
    assert matched is not None, line
    return Series(matched[1], {name: value[1:-1] for name, value in LABEL.findall(matched[2] or "")})


def missing(expression: str, exported: Iterable[Series]) -> list[Selector]:
    """The selectors that find nothing."""
    known = list(exported)
    return [selector for selector in selectors(expression) if not any(map(selector.matches, known))]
