"""Objects as files below one folder."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import StorageUnavailableError

if TYPE_CHECKING:
    from gateway.uploads.protocols import ObjectPath


class LocalStorage:
    """File operations run in threads: a slow disk holds up no other request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def write(self, path: ObjectPath, content: bytes) -> None:
        try:
            await asyncio.to_thread(write_durably, self._folder / str(path), content)
        except OSError as error:
            raise StorageUnavailableError("The photo cannot be stored now. Try again.") from error

    async def read(self, path: ObjectPath, max_bytes: int) -> bytes | None:
        try:
            return await asyncio.to_thread(read_start, self._folder / str(path), max_bytes + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageUnavailableError("The photo cannot be read now. Try again.") from error


def read_start(file: Path, max_bytes: int) -> bytes:
    with file.open("rb") as opened:
        return opened.read(max_bytes)


def write_durably(target: Path, content: bytes) -> None:
    """To a file beside the target, to the disk, then renamed: a reader sees all of it or nothing, after a crash too."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".upload-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    for folder in (target.parent, target.parent.parent):  # the names: of the file, and of the user's new folder
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
