"""Secrets in files that are replaced while we run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gateway.settings import SecretError, read_secret

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)


class SecretFiles:
    """Secrets that belong together, one a file. They are read again when a file has changed."""

    def __init__(self, *paths: Path) -> None:
        self._paths = paths
        self._seen = self._look()
        self._values = [self._read()]

    def values(self) -> list[tuple[str, ...]]:
        """Those of now, and those before: URLs signed with them are still about."""
        try:
            seen = self._look()
            if seen != self._seen:
                read = self._read()
                if read != self._values[0]:
                    self._values = [read, self._values[0]]
                self._seen = seen
        except (OSError, ValueError) as error:  # half replaced: the next request looks again
            logger.warning("a changed secret cannot be read: %s", error)
        return self._values

    def current(self) -> tuple[str, ...]:
        return self.values()[0]

    def _look(self) -> list[tuple[int, int, int]]:
        stats = [path.stat() for path in self._paths]
        return [(stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats]

    def _read(self) -> tuple[str, ...]:
        return tuple(read_text(path) for path in self._paths)


def read_text(path: Path) -> str:
    """Printable ASCII: these secrets stand in headers. Raises `SecretError`, and OSError."""
    secret = read_secret(path, 1)
    if not secret.isascii() or not secret.decode().isprintable():
        raise SecretError(f"{path} holds something else than a line of printable ASCII.")
    return secret.decode()
