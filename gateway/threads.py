"""Work over a photo's bytes that would hold up other requests when there are many."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# About a millisecond of work; a change of threads costs a tenth of that.
LARGE_BYTES = 2 * 1024 * 1024


async def off_loop_if_large(work: Callable[[bytes], T], content: bytes) -> T:
    return await asyncio.to_thread(work, content) if len(content) > LARGE_BYTES else work(content)
