"""The time that durations and deadlines are counted in: the running event loop's, which is monotonic."""

from __future__ import annotations

import asyncio


def now() -> float:
    """Seconds since an arbitrary moment. A test may run on a loop whose time is not that of the world."""
    return asyncio.get_running_loop().time()
