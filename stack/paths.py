"""Where the local runtime keeps its state: one folder, and what lies where in it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class StatePaths:
    """The layout below one state folder."""

    root: Path

    @classmethod
    def default(cls) -> StatePaths:
        """`.frond/` beside the sources, or the folder that FROND_STATE_DIR names."""
        return cls(Path(os.environ.get("FROND_STATE_DIR") or ROOT / ".frond").expanduser().resolve())

    @property
    def lock(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def state(self) -> Path:
        """Addresses for others; there while the stack is up."""
        return self.root / "state.json"

    @property
    def status(self) -> Path:
        """What each part is doing, from the first moment on."""
        return self.root / "status.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def storage(self) -> Path:
        return self.root / "storage"

    @property
    def backends(self) -> Path:
        return self.root / "backends"

    @property
    def model_repository(self) -> Path:
        return self.root / "model_repository"

    @property
    def shared_memory_prefix(self) -> str:
        """Ours alone in /dev/shm: two clones on one machine never sweep each other's regions."""
        return f"frond-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]}-"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"
