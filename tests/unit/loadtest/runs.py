"""Requests and runs as the tests need them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loadtest.asking.answer import OK, Sample
from loadtest.report.run import Line, Plot, Run

STARTED_AT = 1_790_000_000.0


def sample(at: float = 0.0, seconds: float = 0.1, code: str = OK, **fields: Any) -> Sample:
    """`at`: seconds since the start."""
    return Sample(STARTED_AT + at, seconds, fields.pop("kind", "multipart"), code, **fields)


def run(samples: Sequence[Sample], seconds: float = 10.0, **fields: Any) -> Run:
    wanted: dict[str, Any] = {
        "title": "A run",
        "what": "Of the <tests>.",
        "command": "python -m loadtest",
        "target": "http://127.0.0.1:1",
        "load": Plot("Users", "users", [Line("users", [0, seconds], [1, 1])]),
    }
    return Run(started_at=STARTED_AT, seconds=seconds, samples=samples, **wanted | fields)
