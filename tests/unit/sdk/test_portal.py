"""Calls that wait, done by a loop on another thread."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from typing import Any

import pytest

from frond.client import CloudInferenceClient
from frond.configuration import ClientOptions
from frond.errors import CloudTimeoutError
from frond.portal import Portal
from tests.unit.sdk.services import order


def test_an_interrupt_cancels_the_work_and_comes_through() -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(30)
        finally:
            cancelled.set()

    def interrupt() -> None:
        begun.wait()
        time.sleep(0.2)  # until the caller waits
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    portal = Portal()
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        portal.run(work())
    assert cancelled.is_set()
    thread.join()
    portal.close()


def test_an_error_of_the_work_is_the_callers() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    portal = Portal()
    with pytest.raises(ZeroDivisionError):
        portal.run(work())
    portal.close()


def test_the_deadline_ends_the_look_up_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """No timeout of a socket does."""
    answer = threading.Event()

    def slow(*arguments: Any, **options: Any) -> Any:
        answer.wait(30)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    started = time.monotonic()
    with CloudInferenceClient("http://frond.test", "token", options=ClientOptions()) as client:
        with pytest.raises(CloudTimeoutError):
            client.predict(order(timeout_seconds=0.3))
        answer.set()
    assert time.monotonic() - started < 10


def test_an_executor_that_was_shut_down_in_a_program_that_goes_on_is_an_error_in_a_daemon_thread_too() -> None:
    async def work() -> None:
        raise RuntimeError("cannot schedule new futures after shutdown")

    portal = Portal()
    raised: list[RuntimeError] = []

    def call() -> None:
        try:
            portal.run(work())
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(10)
    portal.close()
    assert [str(error) for error in raised] == ["cannot schedule new futures after shutdown"]
