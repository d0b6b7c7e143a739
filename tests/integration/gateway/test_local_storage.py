"""Files of the local storage: what a full disk, a killed process, a slow sender and other writers do to them."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
import tracemalloc
import uuid
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from gateway.deadline import Deadline
from gateway.errors import ImageHashMismatchError, StorageUnavailableError
from gateway.uploads.files import UNFINISHED, UNFINISHED_SECONDS
from gateway.uploads.local import BLOCK_BYTES, LocalStorage
from gateway.uploads.local_routes import MIN_BYTES_PER_SECOND, PATIENCE_SECONDS, content_of, in_time
from gateway.uploads.protocols import ObjectPath
from gateway.uploads.signing import Grant, UrlSigner
from stack.paths import ROOT
from tests.gateways import ALICE, BOB, Gateway, parts_with, png, serve, sha256

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from gateway.app import Parts
    from gateway.health.service import Lifecycle
    from gateway.settings import Settings
    from gateway.uploads.signing import Method
    from tests.gateways import FakeDiagnoser

LARGE = os.urandom(20 * 1024 * 1024)
PIECE_BYTES = 64 * 1024


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path, UrlSigner(bytes(32)), "http://photos.test")


def grant_of(photo: bytes, method: Method = "PUT") -> Grant:
    return Grant.for_seconds(method, ObjectPath(ALICE, sha256(photo), "image/png"), len(photo), 60)


async def pieces(photo: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(photo), PIECE_BYTES):
        yield photo[start : start + PIECE_BYTES]


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@contextmanager
def measured() -> Iterator[list[int]]:
    """The most bytes that were allocated meanwhile."""
    peak: list[int] = []
    tracemalloc.start()
    try:
        yield peak
        peak.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


async def test_a_large_photo_is_never_in_memory_as_a_whole(storage: LocalStorage) -> None:
    with measured() as peak:
        await storage.write(grant_of(LARGE), pieces(LARGE))
        file = await storage.open(grant_of(LARGE, "GET"))
        received = 0
        async for piece in content_of(file):
            received += len(piece)
    assert received == len(LARGE)
    assert peak[0] < len(LARGE) / 10


async def test_many_writers_of_one_photo_leave_one_whole_file(storage: LocalStorage, tmp_path: Path) -> None:
    photo = LARGE[:3_000_000]
    grant = grant_of(photo)
    await asyncio.gather(*(storage.write(grant, pieces(photo)) for _ in range(10)))
    assert [path.read_bytes() for path in files_in(tmp_path)] == [photo]


async def test_a_reader_meanwhile_sees_the_whole_photo_or_none(storage: LocalStorage) -> None:
    photo = LARGE[:3_000_000]
    grant = grant_of(photo)
    writing = asyncio.ensure_future(storage.write(grant, pieces(photo)))
    seen = set()
    while not writing.done():
        content = await storage.read(grant.path, len(photo))
        seen.add(content)
    await writing
    assert seen <= {None, photo}


async def test_other_content_never_takes_a_photos_place(storage: LocalStorage, tmp_path: Path) -> None:
    photo = png()
    await storage.write(grant_of(photo), pieces(photo))
    with pytest.raises(ImageHashMismatchError):
        await storage.write(grant_of(photo), pieces(bytes(len(photo))))
    assert [path.read_bytes() for path in files_in(tmp_path)] == [photo]


async def test_a_disk_without_room_is_a_server_error_and_leaves_nothing(storage: LocalStorage, tmp_path: Path) -> None:
    photo = LARGE[:3_000_000]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))  # the kernel refuses what goes beyond
    try:
        with pytest.raises(StorageUnavailableError):
            await storage.write(grant_of(photo), pieces(photo))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not files_in(tmp_path)


async def test_an_upload_that_breaks_off_leaves_nothing(storage: LocalStorage, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield LARGE[:BLOCK_BYTES]
        raise ConnectionResetError

    with pytest.raises(StorageUnavailableError):
        await storage.write(grant_of(LARGE), broken())
    assert not files_in(tmp_path)


KILLED = """
import asyncio, sys
from pathlib import Path
from gateway.uploads.local import LocalStorage
from gateway.uploads.signing import UrlSigner
from tests.integration.gateway.test_local_storage import LARGE, grant_of

async def stalling():
    yield LARGE[:1_000_000]
    print("written", flush=True)
    await asyncio.sleep(600)

storage = LocalStorage(Path(sys.argv[1]), UrlSigner(bytes(32)), "http://photos.test")
asyncio.run(storage.write(grant_of(LARGE), stalling()))
"""


async def test_what_a_killed_process_left_is_swept_and_what_is_being_written_is_not(
    storage: LocalStorage, tmp_path: Path
) -> None:
    kill_in_mid_upload(tmp_path)
    (left,) = files_in(tmp_path)
    assert left.name.startswith(UNFINISHED)
    assert await storage.expire(0) == 0
    then = time.time() - UNFINISHED_SECONDS - 1
    os.utime(left, (then, then))
    assert await storage.expire(24 * 3600) == 1
    assert not os.listdir(tmp_path)  # noqa: PTH208


def kill_in_mid_upload(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)


async def test_old_photos_expire_and_young_ones_stay(storage: LocalStorage, tmp_path: Path) -> None:
    old, young = png(1), png(2)
    for photo in (old, young):
        await storage.write(grant_of(photo), pieces(photo))
    then = time.time() - 3700
    os.utime(tmp_path / str(grant_of(old).path), (then, then))
    assert await storage.expire(3600) == 1
    assert await storage.read(grant_of(old).path, 1000) is None
    assert await storage.read(grant_of(young).path, 1000) == young


async def test_a_photo_that_is_uploaded_again_is_young_again(storage: LocalStorage, tmp_path: Path) -> None:
    photo = png()
    await storage.write(grant_of(photo), pieces(photo))
    os.utime(tmp_path / str(grant_of(photo).path), (0, 0))
    await storage.write(grant_of(photo), pieces(photo))
    assert await storage.expire(3600) == 0


async def test_uploads_go_on_while_empty_folders_are_removed(storage: LocalStorage) -> None:
    photos = [png(metadata=uuid.uuid4().bytes) for _ in range(30)]

    async def upload(photo: bytes) -> None:
        for _ in range(3):
            await storage.write(grant_of(photo), pieces(photo))

    await asyncio.gather(*map(upload, photos), *(storage.expire(-1) for _ in range(60)))


def test_a_sender_is_held_to_a_least_rate_after_a_while() -> None:
    ends = Deadline(1e9)
    assert in_time(ends, 100, 0).at == 100 + PATIENCE_SECONDS
    assert in_time(ends, 100, 10 * MIN_BYTES_PER_SECOND).at == 100 + PATIENCE_SECONDS + 10
    assert in_time(Deadline(105), 100, 10**9).at == 105


@asynccontextmanager
async def half_sent(gateway: Gateway, photo: bytes, seconds: int) -> AsyncIterator[asyncio.StreamReader]:
    """A client that stops in the middle of an upload, and stays."""
    url = urlsplit(gateway.signed_url(photo, seconds=seconds, method="PUT"))
    head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: here\r\nContent-Type: image/png\r\n"
    head += f"Content-Length: {len(photo)}\r\n\r\n"
    reader, writer = await asyncio.open_connection(gateway.client.base_url.host, gateway.client.base_url.port)
    try:
        writer.write(head.encode() + photo[: len(photo) // 2])
        yield reader
    finally:
        writer.close()


async def test_an_upload_ends_with_its_url(gateway: Gateway) -> None:
    async with half_sent(gateway, LARGE, seconds=3) as reader:
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 60)
    assert answer.startswith(b"HTTP/1.1 504")
    await wait_for_files(gateway, there=False)


async def test_a_client_that_hangs_up_in_mid_upload_leaves_nothing(gateway: Gateway) -> None:
    async with half_sent(gateway, LARGE, seconds=60):
        await wait_for_files(gateway, there=True)
    await wait_for_files(gateway, there=False)


async def wait_for_files(gateway: Gateway, *, there: bool) -> None:
    async with asyncio.timeout(20):
        while bool(files_in(gateway.storage_dir)) is not there:  # noqa: ASYNC110  (a folder has no event)
            await asyncio.sleep(0.02)


async def test_what_becomes_of_uploads_is_counted(gateway: Gateway, diagnoser: FakeDiagnoser) -> None:
    opened: list[Parts] = []

    @asynccontextmanager
    async def open_parts(settings: Settings, lifecycle: Lifecycle) -> AsyncIterator[Parts]:
        async with parts_with(diagnoser)(settings, lifecycle) as parts:
            opened.append(parts)
            yield parts

    async with serve(gateway.settings, open_parts) as client:
        counted = Gateway(client, gateway.key, gateway.settings)
        ticket = await counted.upload(png())
        await counted.put(ticket, bytes(len(png())))
        (gateway.storage_dir / str(BOB)).write_text("a file where the folder must be")
        await counted.put((await counted.ask_for_urls(png(), BOB)).json()["result"], png())
    registry = opened[0]["metrics"].registry
    outcomes = ("issued", "stored", "refused", "failed")
    counts = [registry.get_sample_value("frond_gateway_uploads_total", {"outcome": outcome}) for outcome in outcomes]
    assert counts == [2, 1, 1, 1]
