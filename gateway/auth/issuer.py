"""The issuer's keys by URL: fetched once for all who wait, kept fresh in the background, and kept while it is out."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from gateway.auth.keys import KeySetError, read_keys, report_faults
from gateway.errors import KeysUnavailableError
from gateway.outage import Outage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from jwt import PyJWK

PART = "the issuer of keys"
MAX_DOCUMENT_BYTES = 256 * 1024  # a key has about 400 bytes
# Uncompressed, so that the limit holds for what is read.
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the issuer is asked. A withdrawn key is refused after `refresh_seconds` at the latest."""

    refresh_seconds: float = 300
    fetch_seconds: float = 3  # of the 8 s that a phone waits, for the few requests that come with a new key
    cooldown_seconds: float = 10  # after a success: made-up key ids cause six fetches a minute
    first_retry_seconds: float = 1
    max_retry_seconds: float = 30

    def retry_seconds(self, failures: int) -> float:
        doublings = min(failures - 1, 16)  # beyond that, only the number grows
        return min(self.first_retry_seconds * 2.0**doublings, self.max_retry_seconds)


class IssuerKeySet:
    """Without keys until the first fetch succeeds; from then on the last good ones."""

    def __init__(self, url: str, client: httpx2.AsyncClient, pace: Pace, outage: Outage) -> None:
        self._url = url
        self._client = client
        self._pace = pace
        self._outage = outage
        self._keys: Mapping[str, PyJWK] = {}
        self._document: bytes | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._failures = 0
        self._rest_until = -math.inf

    def current(self) -> Mapping[str, PyJWK]:
        return self._keys

    async def renew(self) -> None:
        if time.monotonic() >= self._rest_until:
            await self._fetched()
        await self.check()

    async def check(self) -> None:
        if self._document is None:
            wait = max(self._rest_until - time.monotonic(), self._pace.first_retry_seconds)
            raise KeysUnavailableError("The issuer's keys cannot be fetched.", math.ceil(wait * 1000))

    async def keep_fresh(self) -> None:
        while True:
            await self._fetched()
            await asyncio.sleep(
                self._pace.retry_seconds(self._failures) if self._failures else self._pace.refresh_seconds
            )

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    async def _fetched(self) -> None:
        """One fetch for all who ask while it runs; a caller that goes away does not end it."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch())
        await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        try:
            self._take(await self._download())
        except Exception as error:  # noqa: BLE001  (whatever it was, there is a next time)
            self._failures += 1
            rest_seconds = self._pace.retry_seconds(self._failures)
            self._outage.begin(error)
        else:
            self._failures = 0
            self._outage.end()
            rest_seconds = self._pace.cooldown_seconds
        self._rest_until = time.monotonic() + rest_seconds

    def _take(self, document: bytes) -> None:
        """An equal document leaves the mapping as it is: what was verified with it stays so."""
        if document != self._document:
            self._keys = report_faults(read_keys(document))
            self._document = document

    async def _download(self) -> bytes:
        content = bytearray()
        async with (
            asyncio.timeout(self._pace.fetch_seconds),
            self._client.stream("GET", self._url, headers=HEADERS) as response,
        ):
            if response.status_code != httpx2.codes.OK:
                raise KeySetError(f"{urlsplit(self._url).hostname} answered {response.status_code}")
            async for piece in response.aiter_raw():
                content += piece
                if len(content) > MAX_DOCUMENT_BYTES:
                    raise KeySetError(f"the document has more than {MAX_DOCUMENT_BYTES} bytes")
        return bytes(content)


DEFAULT_PACE = Pace()


@asynccontextmanager
async def open_issuer_keys(
    url: str, pace: Pace = DEFAULT_PACE, outage: Outage | None = None
) -> AsyncIterator[IssuerKeySet]:
    """The issuer does not have to be there yet. No proxy and no redirect: the keys come from this URL or not at all."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with httpx2.AsyncClient(
        follow_redirects=False, limits=limits, timeout=pace.fetch_seconds, trust_env=False
    ) as client:
        keys = IssuerKeySet(url, client, pace, outage or Outage(PART))
        refreshing = asyncio.create_task(keys.keep_fresh())
        try:
            yield keys
        finally:
            refreshing.cancel()
            await asyncio.wait([refreshing])
            await keys.close()
