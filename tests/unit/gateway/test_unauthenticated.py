"""Requests without a valid token: how many are answered, and who is never affected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Counter

from gateway.errors import UnauthenticatedFloodError
from gateway.unauthenticated import UnauthenticatedCap
from tests.gateways import FakeDiagnoser, Gateway, SigningKey, parts_with, png, serve, settings_in, sha256

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2

FAR_TOO_SLOW = 0.001  # a second one in a quarter of an hour


@dataclass
class Clock:
    now: float = 0.0
    refused: Counter = field(default_factory=lambda: Counter("refused", "refused", registry=CollectorRegistry()))

    def __call__(self) -> float:
        return self.now


def passed(cap: UnauthenticatedCap, tries: int) -> int:
    """How many of so many tries are let through."""
    count = 0
    for _ in range(tries):
        try:
            cap.charge()
        except UnauthenticatedFloodError:
            continue
        count += 1
    return count


def test_two_seconds_worth_may_come_at_once() -> None:
    clock = Clock()
    assert passed(UnauthenticatedCap(50, clock.refused, clock), 1000) == 100


def test_in_the_long_run_it_is_the_rate() -> None:
    clock = Clock()
    cap = UnauthenticatedCap(10, clock.refused, clock)
    passed(cap, 1000)
    total = 0
    for _ in range(600):
        clock.now += 0.1
        total += passed(cap, 50)
    assert total == pytest.approx(600, abs=1)


def test_what_is_left_over_does_not_add_up() -> None:
    clock = Clock()
    cap = UnauthenticatedCap(10, clock.refused, clock)
    clock.now = 86_400
    assert passed(cap, 1000) == 20


def test_a_rate_below_one_lets_one_through_and_says_when_the_next() -> None:
    clock = Clock()
    cap = UnauthenticatedCap(0.1, clock.refused, clock)
    cap.charge()
    clock.now = 4
    with pytest.raises(UnauthenticatedFloodError) as raised:
        cap.charge()
    assert raised.value.retry_after_ms == pytest.approx(6000, abs=1)
    clock.now = 10.01
    cap.charge()


def test_what_is_refused_is_counted() -> None:
    clock = Clock()
    passed(UnauthenticatedCap(1, clock.refused, clock), 5)
    assert clock.refused._value.get() == 3


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """One that answers one unauthenticated request, and then none for long."""
    key = SigningKey()
    settings = settings_in(tmp_path, key, unauthenticated_per_second=FAR_TOO_SLOW)
    async with serve(settings, parts_with(FakeDiagnoser())) as client:
        yield Gateway(client, key, settings)


async def answers(gateway: Gateway, method: str, path: str, **headers: str) -> list[tuple[int, str]]:
    """Status and code of two tries."""
    responses = [await gateway.client.request(method, path, headers=headers) for _ in range(2)]
    return [(response.status_code, code_of(response)) for response in responses]


def code_of(response: httpx2.Response) -> str:
    code: str = response.json()["error"]["code"]
    return code


@pytest.mark.parametrize(
    ("method", "path", "headers", "first"),
    [
        ("POST", "/v1/ai-inference", {}, (401, "token_missing")),
        ("POST", "/v1/uploads", {"Authorization": "Bearer made.up.token"}, (401, "token_invalid")),
        ("GET", "/nothing", {}, (404, "not_found")),
        ("GET", "/nothing", {"Authorization": "Bearer made.up.token"}, (404, "not_found")),
        ("GET", "/health/nothing", {}, (404, "not_found")),
        ("DELETE", "/v1/uploads", {}, (405, "method_not_allowed")),
        ("PUT", "/v1/storage/a/b", {}, (403, "url_signature_invalid")),
        ("GET", "/v1/storage/a/b", {}, (403, "url_signature_invalid")),
        ("DELETE", "/v1/storage/a/b", {}, (405, "method_not_allowed")),
        ("GET", "/v1/storage/a/b/c", {}, (404, "not_found")),
    ],
    ids=str,
)
async def test_a_request_of_nobody_is_charged_and_then_refused(
    gateway: Gateway, method: str, path: str, headers: dict[str, str], first: tuple[int, str]
) -> None:
    assert await answers(gateway, method, path, **headers) == [first, (429, "too_many_unauthenticated")]


async def test_where_the_storage_is_another_service_no_path_is_signed(tmp_path: Path) -> None:
    key = SigningKey()
    for name in ("id", "secret"):
        (tmp_path / name).write_text("x" * 40)
    settings = settings_in(
        tmp_path,
        key,
        storage="s3",
        s3_endpoint="http://127.0.0.1:1",
        s3_bucket="photos",
        s3_access_key_id_file=tmp_path / "id",
        s3_secret_access_key_file=tmp_path / "secret",
        unauthenticated_per_second=FAR_TOO_SLOW,
    )
    async with serve(settings, parts_with(FakeDiagnoser())) as client:
        found = await answers(Gateway(client, key, settings), "GET", "/v1/storage/a/b")
    assert found == [(404, "not_found"), (429, "too_many_unauthenticated")]


async def test_a_token_of_another_role_is_nobody_s(gateway: Gateway) -> None:
    authorization = f"Bearer {gateway.key.token(role='anon')}"
    found = await answers(gateway, "POST", "/v1/uploads", Authorization=authorization)
    assert found == [(403, "role_forbidden"), (429, "too_many_unauthenticated")]


async def test_the_refusal_is_retryable_and_says_when(gateway: Gateway) -> None:
    for _ in range(2):
        response = await gateway.client.post("/v1/uploads")
    assert response.json()["error"]["retryable"]
    assert int(response.headers["Retry-After"]) == pytest.approx(1 / FAR_TOO_SLOW, rel=0.1)
    assert response.headers["X-Request-Id"] == response.json()["requestId"]


async def test_a_valid_token_is_never_affected(gateway: Gateway) -> None:
    await answers(gateway, "POST", "/v1/uploads")
    first, again = [await gateway.ask_for_urls(png(shade)) for shade in range(2)]
    unknown_path = await gateway.client.get("/nothing", headers=gateway.headers())
    assert [first.status_code, again.status_code, unknown_path.status_code] == [200, 200, 404]


async def test_a_signed_url_is_never_affected(gateway: Gateway) -> None:
    await answers(gateway, "POST", "/v1/uploads")
    photo = png(7)
    await gateway.upload(photo)
    got = await gateway.client.get(gateway.signed_url(photo).removeprefix("http://photos.test"))
    assert sha256(got.content) == sha256(photo)
    gone = await gateway.client.get(gateway.signed_url(png(8)).removeprefix("http://photos.test"))
    assert gone.status_code == 404


@pytest.mark.parametrize("path", ["/health/live", "/health/serving"])
async def test_probes_are_never_affected(gateway: Gateway, path: str) -> None:
    """Or a flood of nobodies would take every gateway out of its load balancer."""
    await answers(gateway, "POST", "/v1/uploads")
    assert {(await gateway.client.get(path)).status_code for _ in range(5)} == {200}


@pytest.mark.parametrize("path", ["/", "/model", "/status", "/console/console.css", "/console/diagnose.js"])
async def test_the_console_s_files_are_never_affected(gateway: Gateway, path: str) -> None:
    await answers(gateway, "POST", "/v1/uploads")
    assert {(await gateway.client.get(path)).status_code for _ in range(3)} == {200}
    assert await answers(gateway, "POST", path) == [(405, "method_not_allowed")] * 2


async def test_the_console_s_numbers_are_affected(gateway: Gateway) -> None:
    assert await answers(gateway, "GET", "/v1/status") == [(401, "token_missing"), (429, "too_many_unauthenticated")]


async def test_while_the_keys_are_missing_nobody_is_charged(tmp_path: Path) -> None:
    key = SigningKey()
    settings = settings_in(
        tmp_path, key, jwks_file=None, jwks_url="http://127.0.0.1:1/", unauthenticated_per_second=FAR_TOO_SLOW
    )
    async with serve(settings, parts_with(FakeDiagnoser())) as client:
        gateway = Gateway(client, key, settings)
        for _ in range(3):
            response = await gateway.ask_for_urls(png())
            assert (response.status_code, code_of(response)) == (503, "keys_unavailable")
