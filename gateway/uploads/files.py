"""Photos as files below one folder: written whole or not at all, read as they are, removed when they are old."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

UNFINISHED = ".upload-"
UNFINISHED_SECONDS = 60 * 60  # four times as long as an upload may take: what is older was left by a killed process
MAX_REMOVALS = 10_000  # in one round, a second or so


class Incoming:
    """A photo on its way to the disk, in a file beside its target. The hash grows with it."""

    def __init__(self, target: Path) -> None:
        self._target = target
        descriptor, name = make_file_beside(target)
        self._file = os.fdopen(descriptor, "wb")
        self._path = Path(name)
        self._digest = hashlib.sha256()

    def add(self, content: bytes) -> None:
        self._digest.update(content)
        self._file.write(content)

    def sha256(self) -> str:
        return self._digest.hexdigest()

    def keep(self) -> None:
        """To the disk, then under its name: a reader sees all of it or nothing, after a crash too."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.replace(self._target)
        for folder in (self._target.parent, self._target.parent.parent):  # the names: of the file, and its new folder
            sync_folder(folder)

    def end(self) -> None:
        """Nothing is left of a photo that was not kept."""
        with suppress(OSError):  # a full disk says so once more
            self._file.close()
        self._path.unlink(missing_ok=True)


def make_file_beside(target: Path) -> tuple[int, str]:
    for _ in range(2):  # an empty folder may be removed between the two steps
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            return tempfile.mkstemp(dir=target.parent, prefix=UNFINISHED)
    raise FileNotFoundError(target.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_start(file: Path, max_bytes: int) -> bytes:
    with file.open("rb") as opened:
        return opened.read(max_bytes)


def remove_old(folder: Path, older_than_seconds: float) -> int:
    """Photos, what killed processes left, and folders that are empty since."""
    removed = 0
    now = time.time()
    for user_folder in list(entries(folder)):
        if not user_folder.is_dir(follow_symlinks=False):
            continue
        for entry in entries(Path(user_folder.path)):
            limit = UNFINISHED_SECONDS if entry.name.startswith(UNFINISHED) else older_than_seconds
            with suppress(FileNotFoundError):  # another process was faster
                if entry.is_file(follow_symlinks=False) and now - entry.stat().st_mtime > limit:
                    Path(entry.path).unlink()
                    removed += 1
            if removed == MAX_REMOVALS:
                return removed
        with suppress(OSError):  # it is not empty
            Path(user_folder.path).rmdir()
    return removed


def entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        yield from found
