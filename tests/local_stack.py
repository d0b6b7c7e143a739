"""The whole of Frond as a user starts it: the `frond` command on a state folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COMMAND_SECONDS = 120


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A state folder, and the command line over it."""

    state_dir: Path

    def frond(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `frond …` to its end."""
        environment = {**os.environ, "FROND_STATE_DIR": str(self.state_dir), "COLUMNS": "120"}
        command = [sys.executable, "-m", "cli.app", *arguments]
        return subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )

    def status(self) -> dict[str, Any]:
        """`frond status --json`."""
        content: dict[str, Any] = json.loads(self.frond("status", "--json").stdout)
        return content

    def state(self) -> dict[str, Any]:
        """The addresses that the stack wrote down."""
        content: dict[str, Any] = json.loads((self.state_dir / "state.json").read_text())
        return content

    def process_id(self, part: str) -> int:
        return next(int(entry["process_id"]) for entry in self._parts() if entry["name"] == part)

    def _parts(self) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = json.loads((self.state_dir / "status.json").read_text())["parts"]
        return parts


@contextmanager
def local_stack(state_dir: Path) -> Iterator[LocalStack]:
    """Up on a free port, and down for sure."""
    stack = LocalStack(state_dir)
    started = stack.frond("up", "--detach", "--port", "0")
    try:
        assert started.returncode == 0, started.stderr + started.stdout
        yield stack
    finally:
        stack.frond("down")
