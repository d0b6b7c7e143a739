"""Where the work over a photo's bytes is done."""

from __future__ import annotations

import threading

import pytest

from gateway.threads import LARGE_BYTES, off_loop_if_large


@pytest.mark.parametrize(("size", "is_here"), [(LARGE_BYTES, True), (LARGE_BYTES + 1, False)])
async def test_a_large_photo_is_worked_on_in_another_thread(size: int, is_here: bool) -> None:
    thread = await off_loop_if_large(lambda _content: threading.get_ident(), bytes(size))
    assert (thread == threading.get_ident()) == is_here
