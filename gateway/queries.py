"""SQL files with `-- name:` headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HEADER = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load_queries(path: Path) -> dict[str, str]:
    """The statements of a file by their names."""
    _, *parts = HEADER.split(path.read_text())
    return dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))
