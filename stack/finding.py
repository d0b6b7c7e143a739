"""One result of `frond doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and the fix unless all is well; `missing` means that Frond cannot run here."""

    name: str
    level: Level
    found: str
    fix: str = ""


def verdict(name: str, found: str, fix: str, *, is_well: bool, otherwise: Level = "missing") -> Finding:
    return Finding(name, "ok", found) if is_well else Finding(name, otherwise, found, fix)
