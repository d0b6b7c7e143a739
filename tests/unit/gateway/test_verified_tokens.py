"""Tokens that are verified once: what is remembered, and what is not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from jwt import PyJWK

from gateway.auth.protocols import Caller
from gateway.auth.service import LEEWAY_SECONDS, TokenVerifier
from gateway.auth.verified import Verified, VerifiedTokens
from gateway.errors import TokenExpiredError, UnauthenticatedError
from gateway.metrics import Metrics
from tests.gateways import ALICE, AUDIENCE, ISSUER, SigningKey

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = SigningKey()
SOMEBODY = Verified(Caller(UUID(int=1), "{}"), 0)


class Keys:
    """A set that a test exchanges, and a clock that it turns."""

    def __init__(self) -> None:
        self.keys = {KEY.key_id: PyJWK(KEY.jwk(), "ES256")}
        self.now = time.time()

    def current(self) -> Mapping[str, PyJWK]:
        return self.keys

    async def renew(self) -> None: ...

    async def check(self) -> None: ...


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def verifier(keys: Keys, metrics: Metrics) -> TokenVerifier:
    return TokenVerifier(keys, ISSUER, AUDIENCE, metrics, clock=lambda: keys.now)


def verifications(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("frond_gateway_stage_seconds_count", {"stage": "auth"})


async def test_a_token_is_verified_once(verifier: TokenVerifier, metrics: Metrics) -> None:
    token = KEY.token()
    assert await verifier.verify(token) is await verifier.verify(token)
    assert verifications(metrics) == 1


async def test_a_token_that_differs_in_its_signature_alone_is_another(verifier: TokenVerifier) -> None:
    token = KEY.token()
    await verifier.verify(token)
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(token[:-8] + "AAAAAAAA")


async def test_a_refused_token_is_not_remembered(verifier: TokenVerifier, metrics: Metrics) -> None:
    for _ in range(2):
        with pytest.raises(UnauthenticatedError):
            await verifier.verify(SigningKey().token())
    assert verifications(metrics) == 2


async def test_a_verified_token_expires_with_the_leeway(verifier: TokenVerifier, keys: Keys) -> None:
    expires_at = int(keys.now) + 60
    token = KEY.token(exp=expires_at)
    await verifier.verify(token)
    keys.now = expires_at + LEEWAY_SECONDS - 1
    assert (await verifier.verify(token)).user_id == ALICE
    keys.now = expires_at + LEEWAY_SECONDS
    with pytest.raises(TokenExpiredError):
        await verifier.verify(token)


async def test_another_key_set_empties_the_memory(verifier: TokenVerifier, keys: Keys) -> None:
    token = KEY.token()
    await verifier.verify(token)
    keys.keys = {"second": keys.keys[KEY.key_id]}
    with pytest.raises(UnauthenticatedError, match="key is unknown"):
        await verifier.verify(token)


async def test_a_new_key_s_token_does_not_bring_an_old_one_s_back(verifier: TokenVerifier, keys: Keys) -> None:
    token, second = KEY.token(), SigningKey("second")
    await verifier.verify(token)
    keys.keys = {"second": PyJWK(second.jwk(), "ES256")}
    await verifier.verify(second.token())
    with pytest.raises(UnauthenticatedError, match="key is unknown"):
        await verifier.verify(token)


async def test_a_key_that_stays_in_another_set_verifies_anew(
    verifier: TokenVerifier, keys: Keys, metrics: Metrics
) -> None:
    token = KEY.token()
    await verifier.verify(token)
    keys.keys = dict(keys.keys)
    assert (await verifier.verify(token)).user_id == ALICE
    assert verifications(metrics) == 2


def test_the_oldest_goes_when_there_are_too_many() -> None:
    keys: dict[str, PyJWK] = {}
    tokens = VerifiedTokens(max_tokens=2)
    for token in ("a", "b", "c"):
        tokens.add(keys, token, SOMEBODY)
    assert [tokens.find(keys, token) for token in ("a", "b", "c")] == [None, SOMEBODY, SOMEBODY]


def test_the_token_itself_is_not_kept() -> None:
    tokens = VerifiedTokens()
    tokens.add({}, "the-token", SOMEBODY)
    assert "the-token" not in repr(vars(tokens))
