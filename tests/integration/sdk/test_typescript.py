"""`diagnose.ts` as an app runs it, on the web, on Expo and on React Native, in front of a real gateway."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stack.paths import ROOT
from tests.gateways import DETAILS, png
from tests.integration.sdk import faults
from tests.unit.preprocess.photos import draw_photo, encode

if TYPE_CHECKING:
    from tests.integration.sdk.conftest import Service

SOURCES = ROOT / "client" / "typescript"
COMPILER = SOURCES / "node_modules" / ".bin" / "tsc"
CALL = Path(__file__).with_name("typescript") / "call.mjs"
SECONDS = 60
# How a photo goes into each platform's form.
PLATFORMS = {"web": "held", "expo": "held", "native": "addressed"}
OVERLOADED = (
    b'{"success": false, "requestId": "r-1", "result": null, "error": {"category": "server", "code": "overloaded",'
    b' "message": "Try again.", "retryable": true, "retryAfterMs": 300}}'
)
BAD_GATEWAY = b"<html>bad gateway</html>"

pytestmark = pytest.mark.skipif(not COMPILER.exists(), reason="needs the TypeScript compiler: `make typescript`")


async def request_of(link: faults.Link) -> bytes:
    """All of it: who closes before is heard as a reset, and not with what was said."""
    request = link.first
    while not request.endswith((b"--", b"--\r\n")) and (chunk := await link.client_reader.read(faults.CHUNK_BYTES)):
        request += chunk
    return request


def http(status: str, body: bytes, headers: str = "") -> faults.Fault:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    say = faults.say(head.encode() + body)

    async def answer(link: faults.Link) -> None:
        await request_of(link)
        await say(link)

    return answer


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`diagnose.ts` as a module of JavaScript."""
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "package.json").write_text('{"type": "module"}')
    subprocess.run([COMPILER, "--noEmit", "false", "--outDir", folder], cwd=SOURCES, check=True)
    return folder / "diagnose.js"


@dataclass(frozen=True)
class App:
    """On one platform, with one photo."""

    platform: str
    compiled: Path
    photo: Path
    service: Service

    async def diagnose(self, **changes: Any) -> dict[str, Any]:
        """What the call comes to, how long it took, and how many timers it left behind."""
        call = {
            "baseUrl": self.service.proxy.url,
            "token": self.service.key.token(),
            "photos": [str(self.photo)],
            "photosAre": PLATFORMS[self.platform],
            "details": DETAILS,
        }
        command = ["node", str(CALL), str(self.compiled), self.platform, json.dumps(call | changes)]
        ended = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert ended.returncode == 0, ended.stderr
        printed: dict[str, Any] = json.loads(ended.stdout)
        return printed


@pytest.fixture(params=["web", "native"])
def app(request: pytest.FixtureRequest, compiled: Path, tmp_path: Path, service: Service) -> App:
    photo = tmp_path / "leaf.png"
    photo.write_bytes(png())
    return App(request.param, compiled, photo, service)


def error_of(ended: dict[str, Any]) -> tuple[str, str, bool]:
    assert not ended["outcome"]["success"]
    error = ended["outcome"]["error"]
    return error["category"], error["code"], error["retryable"]


async def test_a_photo_is_diagnosed_and_the_same_key_has_the_stored_answer(app: App) -> None:
    first = (await app.diagnose())["outcome"]
    assert first["diagnosis"]["predictions"][0]["condition"] == "Late blight"
    assert (first["attempts"], first["replayed"]) == (1, False)
    again = (await app.diagnose(idempotencyKey=first["idempotencyKey"]))["outcome"]
    assert again["replayed"]
    assert again["diagnosis"] == first["diagnosis"]
    assert len(app.service.diagnoser.asked) == 1


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_triton_sees_the_photo(platform: str, compiled: Path, tmp_path: Path, real_service: Service) -> None:
    photo = tmp_path / "leaf.png"
    photo.write_bytes(encode(draw_photo(300, 200), "PNG"))
    ended = await App(platform, compiled, photo, real_service).diagnose(details=DETAILS | {"topK": 3})
    assert len(ended["outcome"]["diagnosis"]["predictions"]) == 3


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.reset_at_once, id="reset at once"),
        pytest.param(faults.reset_in_reply, id="reset within the answer"),
        pytest.param(http("502 Bad Gateway", BAD_GATEWAY), id="502 of something in between"),
        pytest.param(http("503 Service Unavailable", OVERLOADED), id="503 of the service"),
    ],
)
async def test_a_passing_fault_costs_another_attempt_and_no_second_answer(app: App, fault: faults.Fault) -> None:
    app.service.proxy.faults.append(fault)
    outcome = (await app.diagnose())["outcome"]
    assert outcome["success"], outcome
    assert outcome["replayed"] is (fault is faults.reset_in_reply)
    assert outcome["attempts"] >= 2  # browsers and Node repeat some requests by themselves
    assert await app.service.statuses_of(outcome["idempotencyKey"]) == ["completed"]
    assert len(app.service.diagnoser.asked) == 1


@pytest.mark.parametrize(
    ("answer", "least_ms"),
    [
        pytest.param(http("503 Service Unavailable", OVERLOADED), 300, id="in the envelope"),
        pytest.param(http("503 Busy", b"", "Retry-After: 1\r\n"), 1000, id="in the header of a proxy"),
    ],
)
async def test_what_the_service_asks_for_is_waited(app: App, answer: faults.Fault, least_ms: int) -> None:
    app.service.proxy.faults.append(answer)
    ended = await app.diagnose()
    assert ended["outcome"]["attempts"] == 2
    assert ended["ms"] >= least_ms


async def test_a_wait_that_does_not_fit_is_not_begun(app: App) -> None:
    app.service.proxy.faults.append(http("503 Service Unavailable", OVERLOADED))
    ended = await app.diagnose(timeoutMs=400)
    assert error_of(ended) == ("server", "overloaded", True)
    assert ended["outcome"]["error"]["retryAfterMs"] == 300
    assert (ended["outcome"]["attempts"], ended["outcome"]["requestId"]) == (1, "r-1")


async def test_a_refused_connection_is_an_error_of_the_network_after_some_attempts(app: App) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        ended = await app.diagnose(baseUrl=f"http://127.0.0.1:{unused.getsockname()[1]}", timeoutMs=1500)
    assert error_of(ended) == ("network", "connection_failed", True)
    assert ended["outcome"]["attempts"] > 1
    assert ended["ms"] < 1500


async def test_an_answer_that_is_no_json_is_an_error_of_the_server(app: App) -> None:
    app.service.proxy.faults.extend([http("502 Bad Gateway", BAD_GATEWAY)] * 50)
    ended = await app.diagnose(timeoutMs=1500)
    assert error_of(ended) == ("server", "answer_invalid", True)
    assert "502" in ended["outcome"]["error"]["message"]
    assert ended["outcome"]["attempts"] > 1
    assert ended["ms"] < 1500


@pytest.mark.parametrize("body", [b"<html>Sign in to this network</html>", b"{}", b"null"])
async def test_a_200_that_is_not_ours_is_final(app: App, body: bytes) -> None:
    app.service.proxy.faults.append(http("200 OK", body))
    ended = await app.diagnose()
    assert error_of(ended) == ("server", "answer_invalid", False)
    assert ended["outcome"]["attempts"] == 1


@pytest.mark.parametrize("fault", [faults.stall_before_reply, faults.stall_in_reply, faults.trickle_reply])
async def test_the_deadline_ends_a_call_that_hangs(app: App, fault: faults.Fault) -> None:
    app.service.proxy.faults.append(fault)
    ended = await app.diagnose(timeoutMs=800)
    assert error_of(ended) == ("timeout", "deadline_exceeded", False)
    assert 750 < ended["ms"] < 4000
    assert ended["outcome"]["requestId"].endswith("-1")


async def test_the_deadline_is_for_all_attempts_together(app: App) -> None:
    """Each with the same key, and told what is left."""
    heads: list[bytes] = []

    async def stall(link: faults.Link) -> None:
        heads.append(await request_of(link))
        await faults.for_ever()

    async def fail(link: faults.Link) -> None:
        heads.append(await request_of(link))
        link.reset()

    app.service.proxy.faults.extend([fail, fail, stall])
    ended = await app.diagnose(timeoutMs=2000)
    assert error_of(ended) == ("timeout", "deadline_exceeded", False)
    assert ended["ms"] < 4000
    sent = [dict(re.findall(rb"(?i)(idempotency-key|x-frond-deadline-ms): (\S+)", head.lower())) for head in heads]
    assert {each[b"idempotency-key"].decode() for each in sent} == {ended["outcome"]["idempotencyKey"]}
    left = [int(each[b"x-frond-deadline-ms"]) for each in sent]
    assert len(left) == 3
    assert 2000 >= left[0] >= left[1] >= left[2]
    assert left[0] > left[2]


async def test_who_gives_up_is_let_go_at_once(app: App) -> None:
    app.service.proxy.faults.append(faults.stall_before_reply)
    ended = await app.diagnose(abortAfterMs=200)
    assert error_of(ended) == ("network", "cancelled", False)
    assert ended["ms"] < 5000
    assert ended["timers"] == 0 or app.platform == "web"  # the platform's `fetch` has timers of its own


async def test_who_gives_up_in_a_pause_leaves_no_timer(app: App) -> None:
    patient = OVERLOADED.replace(b"300", b"6000")
    app.service.proxy.faults.append(http("503 Service Unavailable", patient))
    ended = await app.diagnose(abortAfterMs=500)
    assert error_of(ended) == ("network", "cancelled", False)
    assert ended["timers"] == 0 or app.platform == "web"


async def test_who_gave_up_before_sends_nothing(app: App) -> None:
    ended = await app.diagnose(abortAfterMs=0)
    assert error_of(ended) == ("network", "cancelled", False)
    assert (ended["outcome"]["attempts"], ended["outcome"]["requestId"]) == (0, "")
    assert app.service.proxy.connections == 0


async def test_a_bad_token_and_a_bad_request_are_not_tried_again(app: App) -> None:
    ended = await app.diagnose(token="no-token")
    assert error_of(ended) == ("auth", "token_invalid", False)
    assert ended["outcome"]["attempts"] == 1
    ended = await app.diagnose(details=DETAILS | {"topK": 0})
    assert error_of(ended) == ("validation", "request_invalid", False)
    assert ended["outcome"]["attempts"] == 1


async def test_its_keys_are_uuids_of_their_own(app: App) -> None:
    keys = {(await app.diagnose(abortAfterMs=0))["outcome"]["idempotencyKey"] for _ in range(3)}
    assert {uuid.UUID(key).version for key in keys} == {7}
    assert len(keys) == 3


async def test_a_photo_in_the_form_of_another_platform_is_said_to_be_one(compiled: Path, service: Service) -> None:
    app = App("expo", compiled, Path(__file__), service)
    ended = await app.diagnose(photosAre="addressed")
    assert error_of(ended) == ("validation", "photo_unsendable", False)
    assert ended["outcome"]["attempts"] == 1
