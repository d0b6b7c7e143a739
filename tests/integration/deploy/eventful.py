"""A stack to which everything happens that a metric tells: two releases, a canary, duplicates, haste, an outage."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.gateways import ALICE, PATH, png

if TYPE_CHECKING:
    import httpx2

    from tests.gateway_processes import GatewayServer, Site

NO_ABSTENTION = {
    "backgroundLabel": None,
    "leafLogOddsThreshold": None,
    "leafEnergyThreshold": None,
    "minConfidence": 0.0,
}
EVENTS: list[dict[str, Any]] = [
    {"event": "device_inference_success", "durationMs": 120},
    {"event": "device_inference_failure", "durationMs": 900, "category": "server", "code": "device_failed"},
    {"event": "fallback", "fallbackReason": "device_failed"},
    {"event": "cloud_inference_success", "durationMs": 640},
    {"event": "cloud_inference_failure", "durationMs": 8000, "category": "timeout", "code": "deadline_exceeded"},
    {"event": "image_upload", "durationMs": 300},
    {"event": "idempotency_hit"},
]


def two_releases(repository: Path) -> None:
    """They never abstain, so that drawn photos are diagnosed as leaves."""
    shutil.copytree(repository / "classifier", repository / "classifier_2")
    for model, version in (("classifier", "1"), ("classifier_2", "2")):
        path = repository / model / "1" / "calibration.json"
        content = json.loads(path.read_text()) | {"version": version, "abstention": NO_ABSTENTION}
        path.write_text(json.dumps(content))
    registry = {"active": "1", "previous": None, "releases": {"1": "classifier", "2": "classifier_2"}}
    (repository / "releases.json").write_text(json.dumps(registry))


async def use(parts: Site, client: httpx2.AsyncClient, rounds: int) -> None:
    """Diagnoses, duplicates at once and later, haste, a photo that cannot be read, a caller who hangs up, reports."""
    (gateway,) = parts.gateways
    numbers = itertools.count()
    for _ in range(rounds):
        key, photo = uuid.uuid4(), drawn(next(numbers))
        together = await asyncio.gather(gateway.ask(client, key, photo), gateway.ask(client, key, photo))
        assert {each.status_code for each in together} == {200}
        assert (await gateway.ask(client, key, photo)).headers["Idempotency-Replayed"] == "true"
        for number in itertools.islice(numbers, 4):
            assert (await gateway.ask(client, uuid.uuid4(), drawn(number))).status_code == 200
        assert (await gateway.ask(client, uuid.uuid4(), drawn(next(numbers)), deadline_ms=1)).status_code == 504
        assert (await gateway.ask(client, uuid.uuid4(), broken(drawn(next(numbers))))).status_code == 422
        await hang_up(gateway)
        await report(parts, client)
        await asyncio.sleep(0.5)


async def hang_up(gateway: GatewayServer) -> None:
    """In the middle of the photos."""
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.port)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.signing_key.token(ALICE)}\r\n"
        f"Idempotency-Key: {uuid.uuid4()}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n"
    )
    writer.write(head.encode() + b"--x\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def fail(parts: Site, client: httpx2.AsyncClient) -> None:
    """Triton dies under a request and comes back."""
    (gateway,), (triton,) = parts.gateways, parts.tritons
    await triton.kill()
    answers = [await gateway.ask(client, uuid.uuid4(), png(shade)) for shade in range(5)]
    assert {each.status_code for each in answers} == {503}
    await triton.start()
    await gateway.ask_until_answered(client, uuid.uuid4(), png(7), seconds=30)


async def crash(parts: Site, client: httpx2.AsyncClient) -> None:
    """A Python process of `diagnose` is killed; after a while the server is restarted, as by its health check."""
    (gateway,), (triton,) = parts.gateways, parts.tritons
    process_id = next(number for number in triton.process_ids() if is_stub(Path(f"/proc/{number}/cmdline")))
    os.kill(process_id, signal.SIGKILL)
    for shade in range(40):
        await gateway.ask(client, uuid.uuid4(), png(shade))
        await asyncio.sleep(0.2)
    await triton.stop()
    await triton.start()
    await gateway.ask_until_answered(client, uuid.uuid4(), png(7), seconds=30)


def is_stub(command: Path) -> bool:
    words = command.read_bytes()
    return b"triton_python_backend_stub" in words and b"/diagnose/" in words


async def report(parts: Site, client: httpx2.AsyncClient) -> None:
    (gateway,) = parts.gateways
    now = datetime.now(UTC).isoformat()
    events = [{**event, "at": now} for event in EVENTS]
    # Clients send twice a minute at most; here each report is another's.
    headers = {"Authorization": f"Bearer {gateway.signing_key.token(uuid.uuid4())}"}
    answer = await client.post(f"{gateway.url}/v1/telemetry", json={"events": events}, headers=headers)
    assert answer.status_code in {200, 202}, answer.text


def broken(photo: bytes) -> bytes:
    """Its header is well, so that the gateway lets it pass; its pixels cannot be decoded."""
    return photo.replace(b"IDAT\x78", b"IDAT\x00")


def drawn(number: int) -> bytes:
    """Another photo for each number."""
    return png(number % 256, side=64 + number // 256)
