"""Whom to ask: a gateway's addresses, and the tokens of the users who ask."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from cli.connection import local_token
from loadtest.ending import RefusedError
from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_LIFETIME = timedelta(hours=2)
RENEWED_BEFORE_SECONDS = 1800.0
PROBE_SECONDS = 10.0
REFUSALS = {401, 403}
NAMESPACE = uuid.UUID("6f0a3f4e-2f0c-4d5a-9a53-0d8a2c1e7b11")


class TargetError(RefusedError):
    """The target cannot be asked: what was said of it is not enough, or nothing answers there."""


@dataclass(slots=True)
class Wallet:
    """Tokens for any number of users: those that were given, in turns, or the local runtime's, a new user for each."""

    given: tuple[str, ...] = ()
    _minted: dict[str, tuple[str, float]] = field(default_factory=dict)

    def token(self, user: str) -> str:
        """The token of the user of that name, which is any text."""
        if self.given:
            return self.given[uuid.uuid5(NAMESPACE, user).int % len(self.given)]
        token, good_until = self._minted.get(user, ("", 0.0))
        if good_until < time.monotonic():
            token = local_token(uuid.uuid5(NAMESPACE, user), lifetime=TOKEN_LIFETIME)
            good_until = time.monotonic() + TOKEN_LIFETIME.total_seconds() - RENEWED_BEFORE_SECONDS
            self._minted[user] = (token, good_until)
        return token


@dataclass(frozen=True, slots=True)
class Target:
    """`url` of the gateway; `grpc`: host:port of its Open Inference Protocol, None where it offers none."""

    url: str
    grpc: str | None = None
    wallet: Wallet = field(default_factory=Wallet, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Target | None:
        """Of FROND_URL, FROND_GRPC, FROND_TOKEN and FROND_TOKENS_FILE (one a line); None without a URL.

        Without tokens they are minted with the key of the local runtime (FROND_STATE_DIR).
        """
        url = environment.get("FROND_URL", "").rstrip("/")
        if not url:
            return None
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            raise TargetError(f"FROND_URL is {url}, and no http://… or https://….")
        return cls(url, environment.get("FROND_GRPC") or None, Wallet(_tokens(environment)))

    def probe(self) -> None:
        """One request before the many; raises TargetError where nobody answers, or the token is refused."""
        try:
            token = self.wallet.token("probe")
        except StackError as error:
            raise TargetError(f"No token for {self.url}: give FROND_TOKEN or FROND_TOKENS_FILE.") from error
        headers = {"Authorization": f"Bearer {token}"}
        try:
            status = httpx2.get(
                f"{self.url}/v1/status", headers=headers, timeout=PROBE_SECONDS, trust_env=False
            ).status_code
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise TargetError(f"{self.url} does not answer: {error}.") from error
        if status in REFUSALS:
            raise TargetError(f"{self.url} refuses the token (HTTP {status}): FROND_TOKEN or FROND_TOKENS_FILE.")

    def environment(self) -> dict[str, str]:
        """What a process needs to ask the same target; tokens come from where these came from."""
        return {"FROND_URL": self.url, "FROND_GRPC": self.grpc or ""}


def _tokens(environment: Mapping[str, str]) -> tuple[str, ...]:
    if not (file := environment.get("FROND_TOKENS_FILE")):
        return (token,) if (token := environment.get("FROND_TOKEN")) else ()
    try:
        tokens = tuple(Path(file).read_text().split())
    except OSError as error:
        raise TargetError(f"{file} cannot be read: {error.strerror}.") from error
    if not tokens:
        raise TargetError(f"{file} holds no token.")
    return tokens
