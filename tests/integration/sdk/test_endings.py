"""A call that is given up, and a client or a program that ends, leave nothing running here or there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from frond.errors import CloudValidationError
from frond.reports import Reporting
from tests.gateways import png
from tests.integration.sdk.conftest import Service, order

if TYPE_CHECKING:
    from collections.abc import Callable

PHOTO = png()
SECONDS = 30
# Warnings are errors, and what only the interpreter can say (a socket, a loop, a task left open) goes to stderr.
PYTHON = [sys.executable, "-X", "dev", "-W", "error", "-c"]
START = """
import sys, threading
from frond import CloudInferenceClient, ClientOptions, PredictOptions, Reporting
url, token = sys.argv[1:]
options = ClientOptions(reporting=Reporting(sample_ratio=1.0, interval_seconds=3600))
order = PredictOptions(photos=[sys.stdin.buffer.read()], assessment_id="a-1", plant_context={"id": "p-1"})
client = CloudInferenceClient(url, token, options=options)
"""
CALL = "print(client.predict(order).attempts)\n"
BACKGROUND = "threading.Thread(target=client.predict, args=[order], daemon=True).start()\n"
# Its call begins when the interpreter starts no threads any more, not even for asyncio.
TOO_LATE = """
import atexit, time
ending = threading.Event()
def call():
    ending.wait()
    client.predict(order)
threading.Thread(target=call, daemon=True).start()
@atexit.register
def end():
    ending.set()
    time.sleep(0.5)
"""
ASYNCHRONOUS = """
import asyncio
from frond import AsyncCloudInferenceClient
client.close()
async def main():
    async with AsyncCloudInferenceClient(url, token, options=options) as client:
        call = asyncio.create_task(client.predict(order))
        print((await client.predict(order)).attempts)
        call.cancel()
asyncio.run(main())
"""


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110  (what is waited for is no part of what is tested)
            await asyncio.sleep(0.01)


async def test_a_cancelled_call_leaves_nothing_running(service: Service) -> None:
    service.diagnoser.gate = asyncio.Event()
    async with service.client() as client:
        call = asyncio.create_task(client.predict(order(PHOTO)))
        await service.diagnoser.waiting.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: not service.proxy.open_connections and service.diagnoser.was_cancelled)


async def test_a_client_that_is_closed_meanwhile_leaves_nothing_running(service: Service) -> None:
    service.diagnoser.gate = asyncio.Event()
    before = set(threading.enumerate())
    client = service.sync_client(reporting=Reporting(sample_ratio=1.0, interval_seconds=3600))
    call = asyncio.create_task(asyncio.to_thread(client.predict, order(PHOTO)))
    await service.diagnoser.waiting.wait()
    await asyncio.to_thread(client.close)
    with pytest.raises(CloudValidationError, match="client_closed"):
        await call
    await until(lambda: not service.proxy.open_connections and service.diagnoser.was_cancelled)
    await until(lambda: {thread.name for thread in set(threading.enumerate()) - before} <= {"asyncio_0", "asyncio_1"})


async def run(service: Service, program: str) -> str:
    """What it prints; it must end by itself, with status 0 and without a word to stderr."""

    def call() -> subprocess.CompletedProcess[bytes]:
        command = [*PYTHON, program, service.proxy.url, service.key.token()]
        return subprocess.run(command, input=PHOTO, capture_output=True, timeout=SECONDS, check=False)

    ended = await asyncio.to_thread(call)
    assert (ended.returncode, ended.stderr.decode()) == (0, "")
    return ended.stdout.decode()


@pytest.mark.parametrize(
    "rest",
    [
        CALL + "client.close()",
        CALL,
        CALL + "del client\nimport gc; gc.collect()",
        CALL + BACKGROUND,
        CALL + TOO_LATE,
        ASYNCHRONOUS,
    ],
    ids=["closed", "not closed", "forgotten", "a call under way", "a call begun too late", "a call cancelled"],
)
async def test_a_program_ends_by_itself_and_without_a_word(service: Service, rest: str) -> None:
    assert await run(service, START + rest) == "1\n"


async def test_a_client_that_is_forgotten_ends_its_thread(service: Service) -> None:
    before = set(threading.enumerate())
    client = service.sync_client()
    (thread,) = {thread for thread in threading.enumerate() if thread.name == "frond"} - before
    assert (await asyncio.to_thread(client.predict, order(PHOTO))).attempts == 1
    del client
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()
