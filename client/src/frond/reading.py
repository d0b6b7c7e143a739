"""Photos from where they are, in threads: neither a slow disk nor scaling holds up the event loop or the deadline."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from frond.errors import CloudValidationError
from frond.policy.photos import MAX_SOURCE_BYTES, Photo, PhotoPolicy, UnfitPhoto, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from frond.options import PhotoSource

T = TypeVar("T")

BLOCK_BYTES = 256 * 1024


async def read_photos(sources: Sequence[PhotoSource], policy: PhotoPolicy) -> list[Photo | UnfitPhoto]:
    """Read and made ready, in their order; raises `CloudValidationError` for the first that there is no reading."""
    return await _in_threads(
        sources, lambda source, index, abandoned: prepare(_content(source, index, abandoned), policy)
    )


async def read_contents(sources: Sequence[PhotoSource]) -> list[bytes]:
    """The bytes as they are; raises `CloudValidationError` for the first that cannot be read."""
    if all(isinstance(source, bytes) for source in sources):
        return [source for source in sources if isinstance(source, bytes)]
    return await _in_threads(sources, _content)


async def _in_threads(
    sources: Sequence[PhotoSource], work: Callable[[PhotoSource, int, threading.Event], T]
) -> list[T]:
    """A caller who gives up waits for nothing; a thread that is at work then ends at its next block or photo."""
    abandoned = threading.Event()
    works = (asyncio.to_thread(work, source, index, abandoned) for index, source in enumerate(sources))
    try:
        return await asyncio.gather(*works)
    finally:
        abandoned.set()


def _content(source: PhotoSource, index: int, abandoned: threading.Event) -> bytes:
    try:
        return _bytes_of(source, abandoned)
    except OSError as error:
        message = f"Photo {index} cannot be read: {error.strerror}."
        raise CloudValidationError(message, code="photo_unreadable") from error
    except (TypeError, ValueError, AttributeError) as error:  # a closed file, a file of text, something else
        message = f"Photo {index} is no path, bytes or file that is open for reading bytes."
        raise CloudValidationError(message, code="photo_unreadable") from error


def _bytes_of(source: PhotoSource, abandoned: threading.Event) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            return _read(file, abandoned)
    return _read(source, abandoned)


def _read(file: BinaryIO, abandoned: threading.Event) -> bytes:
    """No further than one block over the cap."""
    content = bytearray()
    while not abandoned.is_set() and len(content) <= MAX_SOURCE_BYTES:
        block = file.read(BLOCK_BYTES)
        if not block:
            break
        content += block
    return bytes(content)
