"""Keys fetched from the issuer: when it is asked, and what holds while it is out."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.auth.issuer import MAX_DOCUMENT_BYTES, IssuerKeySet, Pace, open_issuer_keys
from gateway.auth.service import TokenVerifier
from gateway.errors import KeysUnavailableError, UnauthenticatedError
from gateway.metrics import Metrics
from tests.fake_issuer import FakeIssuer, document_of, open_issuer
from tests.gateways import ALICE, AUDIENCE, ISSUER, SigningKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

FIRST, SECOND = SigningKey("first"), SigningKey("second")
NEVER = 3600.0
# Asked once at the start, and then only for an unknown key.
ON_DEMAND = Pace(refresh_seconds=NEVER, fetch_seconds=5, cooldown_seconds=0, first_retry_seconds=0.05)
SOON_SECONDS = 20


@pytest.fixture
async def issuer() -> AsyncIterator[FakeIssuer]:
    async with open_issuer(FIRST) as issuer:
        yield issuer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_SECONDS):
        while not condition():  # noqa: ASYNC110  (the issuer and the keys know of no test)
            await asyncio.sleep(0.01)


async def has_keys(keys: IssuerKeySet, *key_ids: str) -> None:
    await until(lambda: set(keys.current()) == set(key_ids))


def verifier_of(keys: IssuerKeySet) -> TokenVerifier:
    return TokenVerifier(keys, ISSUER, AUDIENCE, Metrics())


async def test_the_keys_are_fetched_before_the_first_token_comes(issuer: FakeIssuer) -> None:
    async with open_issuer_keys(issuer.url, ON_DEMAND) as keys:
        await has_keys(keys, "first")
        await keys.check()


async def test_a_known_key_asks_nobody(issuer: FakeIssuer) -> None:
    async with open_issuer_keys(issuer.url, ON_DEMAND) as keys:
        await has_keys(keys, "first")
        for _ in range(5):
            assert (await verifier_of(keys).verify(FIRST.token())).user_id == ALICE
    assert issuer.asked == 1


async def test_an_unknown_key_is_looked_for_and_found(issuer: FakeIssuer) -> None:
    async with open_issuer_keys(issuer.url, ON_DEMAND) as keys:
        await has_keys(keys, "first")
        issuer.publish(FIRST, SECOND)
        assert (await verifier_of(keys).verify(SECOND.token())).user_id == ALICE
    assert issuer.asked == 2


async def test_all_who_wait_for_a_key_share_one_fetch(issuer: FakeIssuer) -> None:
    async with open_issuer_keys(issuer.url, ON_DEMAND) as keys:
        await has_keys(keys, "first")
        issuer.publish(SECOND)
        issuer.gate = asyncio.Event()
        verifier = verifier_of(keys)
        waiting = [asyncio.create_task(verifier.verify(SECOND.token(n=n))) for n in range(20)]
        await until(lambda: issuer.asked == 2)
        waiting.pop().cancel()  # who hangs up does not end it for the others
        issuer.gate.set()
        assert {caller.user_id for caller in await asyncio.gather(*waiting)} == {ALICE}
    assert issuer.asked == 2


async def test_made_up_key_ids_do_not_hammer_the_issuer(issuer: FakeIssuer) -> None:
    async with open_issuer_keys(issuer.url, replace(ON_DEMAND, cooldown_seconds=NEVER)) as keys:
        await has_keys(keys, "first")
        for number in range(100):
            with pytest.raises(UnauthenticatedError, match="key is unknown"):
                await verifier_of(keys).verify(SigningKey(f"made up {number}", FIRST.private).token())
    assert issuer.asked == 1


async def test_made_up_key_ids_do_not_hammer_an_issuer_that_is_out(issuer: FakeIssuer) -> None:
    async with open_issuer_keys(issuer.url, replace(ON_DEMAND, first_retry_seconds=NEVER)) as keys:
        await has_keys(keys, "first")
        issuer.is_out = True
        for number in range(100):
            with pytest.raises(UnauthenticatedError, match="key is unknown"):
                await verifier_of(keys).verify(SigningKey(f"made up {number}", FIRST.private).token())
    assert issuer.asked == 2


def test_failures_are_answered_by_longer_and_longer_waits() -> None:
    pace = Pace(first_retry_seconds=1, max_retry_seconds=30)
    assert [pace.retry_seconds(failures) for failures in (1, 2, 3, 6, 5000)] == [1, 2, 4, 30, 30]


@pytest.mark.parametrize(
    "header", [{"alg": "HS256", "kid": "x"}, {"alg": "none", "kid": "x"}, {"alg": "ES256"}], ids=str
)
async def test_a_token_that_no_key_of_the_issuer_can_open_asks_nobody(
    issuer: FakeIssuer, header: dict[str, str]
) -> None:
    _, payload, signature = FIRST.token().split(".")
    encoded = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    async with open_issuer_keys(issuer.url, ON_DEMAND) as keys:
        await has_keys(keys, "first")
        with pytest.raises(UnauthenticatedError, match="key is unknown"):
            await verifier_of(keys).verify(f"{encoded}.{payload}.{signature}")
    assert issuer.asked == 1


async def test_the_keys_are_fetched_anew_before_they_are_old(issuer: FakeIssuer) -> None:
    async with open_issuer_keys(issuer.url, replace(ON_DEMAND, refresh_seconds=0.05)) as keys:
        await has_keys(keys, "first")
        issuer.publish(SECOND)
        await has_keys(keys, "second")


async def test_a_withdrawn_key_opens_nothing_though_its_token_was_good_a_moment_ago(issuer: FakeIssuer) -> None:
    async with open_issuer_keys(issuer.url, replace(ON_DEMAND, refresh_seconds=0.05)) as keys:
        await has_keys(keys, "first")
        verifier, token = verifier_of(keys), FIRST.token()
        await verifier.verify(token)
        issuer.publish(SECOND)
        await has_keys(keys, "second")
        with pytest.raises(UnauthenticatedError, match="key is unknown"):
            await verifier.verify(token)


async def test_an_outage_of_the_issuer_is_told_at_its_beginning_and_its_end(
    issuer: FakeIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_issuer_keys(issuer.url, replace(ON_DEMAND, refresh_seconds=0.01)) as keys:
        await has_keys(keys, "first")
        issuer.status, asked = 500, issuer.asked
        await until(lambda: issuer.asked > asked + 2)
        issuer.status = 200
        await until(lambda: len(caplog.records) > 1)
    first, last = [record.getMessage() for record in caplog.records]
    assert first.startswith("the issuer of keys does not answer: KeySetError")
    assert last.startswith("the issuer of keys answers again, after ")


async def test_an_equal_document_leaves_the_mapping_as_it_is(issuer: FakeIssuer) -> None:
    async with open_issuer_keys(issuer.url, replace(ON_DEMAND, refresh_seconds=0.01)) as keys:
        await has_keys(keys, "first")
        before, asked = keys.current(), issuer.asked
        await until(lambda: issuer.asked > asked + 1)
        assert keys.current() is before


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (500, "", b""),
        (404, "", b'{"keys": []}'),
        (200, "", b"<html>"),
        (200, "", b'{"keys": [{}]}'),
        (200, "Content-Length: 500\r\n", b'{"keys": ['),
        (200, "", json.dumps({"keys": [], "padding": "x" * MAX_DOCUMENT_BYTES}).encode()),
        (200, "Content-Encoding: gzip\r\n", gzip.compress(document_of(SECOND))),
    ],
    ids=["error", "not found", "rubbish", "no usable key", "cut off", "too large", "compressed"],
)
async def test_what_is_no_key_set_leaves_the_old_keys(
    issuer: FakeIssuer, status: int, headers: str, body: bytes
) -> None:
    async with open_issuer_keys(issuer.url, replace(ON_DEMAND, refresh_seconds=0.05)) as keys:
        await has_keys(keys, "first")
        issuer.status, issuer.headers, issuer.body = status, headers, body
        asked = issuer.asked
        await until(lambda: issuer.asked > asked + 1)
        assert (await verifier_of(keys).verify(FIRST.token())).user_id == ALICE
        issuer.status, issuer.headers = 200, ""
        issuer.publish(SECOND)
        await has_keys(keys, "second")


async def test_the_old_keys_hold_while_the_issuer_is_out_and_new_ones_come_when_it_is_back(issuer: FakeIssuer) -> None:
    async with open_issuer_keys(issuer.url, replace(ON_DEMAND, refresh_seconds=0.05)) as keys:
        await has_keys(keys, "first")
        issuer.is_out = True
        asked = issuer.asked
        await until(lambda: issuer.asked > asked + 2)
        assert (await verifier_of(keys).verify(FIRST.token())).user_id == ALICE
        issuer.is_out = False
        issuer.publish(SECOND)
        await has_keys(keys, "second")


async def test_a_redirect_is_not_followed(issuer: FakeIssuer) -> None:
    async with open_issuer(SECOND) as other:
        issuer.status, issuer.headers = 302, f"Location: {other.url}\r\n"
        async with open_issuer_keys(issuer.url, ON_DEMAND) as keys:
            await until(lambda: issuer.asked > 1)
            assert keys.current() == {}
        assert other.asked == 0


async def test_while_there_have_never_been_keys_nobody_can_tell(issuer: FakeIssuer) -> None:
    issuer.is_out = True
    async with open_issuer_keys(issuer.url, ON_DEMAND) as keys:
        with pytest.raises(KeysUnavailableError) as raised:
            await verifier_of(keys).verify(FIRST.token())
        with pytest.raises(KeysUnavailableError):
            await verifier_of(keys).check()
        assert raised.value.retryable
        issuer.is_out = False
        await has_keys(keys, "first")
        await verifier_of(keys).check()
        asked = issuer.asked
        await asyncio.sleep(0.2)
        assert issuer.asked == asked  # it is asked at its usual pace again


async def test_an_issuer_that_stalls_is_given_up(issuer: FakeIssuer) -> None:
    issuer.gate = asyncio.Event()
    async with open_issuer_keys(issuer.url, replace(ON_DEMAND, fetch_seconds=0.2)) as keys:
        async with asyncio.timeout(SOON_SECONDS):
            with pytest.raises(KeysUnavailableError):
                await verifier_of(keys).verify(FIRST.token())


async def test_an_issuer_that_stalls_does_not_hold_up_the_end(issuer: FakeIssuer) -> None:
    issuer.gate = asyncio.Event()
    before = asyncio.all_tasks()
    async with asyncio.timeout(SOON_SECONDS):
        async with open_issuer_keys(issuer.url, replace(ON_DEMAND, fetch_seconds=NEVER)):
            await until(lambda: issuer.asked == 1)
    assert asyncio.all_tasks() - before <= issuer.answering


async def test_a_document_that_trickles_is_given_up_though_each_piece_comes_in_time(issuer: FakeIssuer) -> None:
    issuer.trickles = True
    async with open_issuer_keys(issuer.url, replace(ON_DEMAND, fetch_seconds=0.3)) as keys:
        async with asyncio.timeout(SOON_SECONDS):
            with pytest.raises(KeysUnavailableError):
                await keys.renew()
