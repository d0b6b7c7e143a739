"""What the diagnosis service handles, and what it needs of others."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from datetime import timedelta
    from uuid import UUID

    from frond.types import DiagnosisDetails
    from gateway.allowance import Allowance
    from gateway.auth.protocols import Caller
    from gateway.deadline import Deadline
    from gateway.memory import Share


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo as asked about: either its bytes came along, or the URL of an upload did."""

    sha256: str
    size_bytes: int
    declared_type: str | None
    content: bytes | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A request of a known user, read and well-formed. `received_at` is on the monotonic clock."""

    caller: Caller
    key: UUID
    request_id: str
    received_at: float
    deadline: Deadline
    details: DiagnosisDetails
    photos: tuple[Photo, ...]
    share: Share  # of the process's memory; photos that are still to be fetched are not in it yet


@dataclass(frozen=True, slots=True)
class Answer:
    """A body as it goes out and is stored: the HTTP status, and of a rejection its category and code."""

    status: int
    body: bytes
    rejection: dict[str, Any] | None = None
    replayed: bool = False
    allowance: Allowance | None = None  # of who has just spent some of it; not stored


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt to be the one who answers a key."""

    caller: Caller
    key: UUID
    payload: dict[str, Any]
    payload_hash: str
    client_tx_id: str
    owner_token: UUID
    lease: timedelta


class Found(StrEnum):
    """What a claim came upon; the values are those of `frond.claim_idempotency_key`."""

    CLAIMED = "claimed"
    TAKEN_OVER = "taken_over"
    REPLAYED = "replayed"
    IN_FLIGHT = "in_flight"
    NOT_STARTED = "not_started"  # nothing is stored, and the claim was not to start anything


@dataclass(frozen=True, slots=True)
class Claimed:
    """The outcome of one claim."""

    found: Found
    answer: Answer | None = None  # replayed
    lease_left: timedelta | None = None  # in flight
    allowance: Allowance | None = None  # claimed, taken over


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """`diagnose`'s JSON, how long the call took, and whether it was the degraded release that answered."""

    content: bytes
    seconds: float
    degraded: bool = False


class IdempotencyStore(Protocol):
    """Each method is one round trip. All raise `DatabaseUnavailableError`."""

    async def claim(self, claim: Claim, *, may_start: bool) -> Claimed:
        """Claimed or taken over: the key is ours until the lease ends. Without `may_start` only reads.

        Raises `IdempotencyKeyReusedError` for another payload, `RateLimitedError` for a user who asks too often.
        """

    async def complete(self, claim: Claim, answer: Answer) -> Answer:
        """Store the answer; returns what is stored, which is another attempt's answer if that took over and was faster.

        Raises `RequestInFlightError` when another attempt took over and is still at work.
        """

    async def release(self, claim: Claim, *, unless_awaited: bool = False) -> bool:
        """Let the next attempt begin at once; false if nothing was released.

        Without effect for who is not the owner any more and, with `unless_awaited`, where another request waits for
        the answer.
        """


class Announcements(Protocol):
    """Wakes those who wait for another request's answer, be it in this process or another."""

    def expect(self, claim: Claim) -> AbstractContextManager[asyncio.Event]:
        """The event is set when the claim's key is completed or released from now on.

        An announcement can get lost (a broken connection): who waits also looks by itself now and then.
        """


class PhotoSource(Protocol):
    """Where uploaded photos lie."""

    def check_owner(self, caller: Caller, url: str, sha256: str) -> None:
        """Raises `ImageUrlForeignError`, `ObjectForbiddenError` or `ImageHashMismatchError`, from the URL alone."""

    async def load(self, caller: Caller, url: str, sha256: str, size_bytes: int) -> bytes:
        """The photo. Raises what `check_owner` does, and for a bad signature, size or hash, or when it is not there."""


class Diagnoser(Protocol):
    """Triton's model `diagnose`."""

    def admit(self, version: str | None, deadline: Deadline) -> None:
        """Raises `OverloadedError` or `TritonUnavailableError` if a call made now would not be answered in time."""

    async def diagnose(
        self, photos: Sequence[bytes], top_k: int, version: str | None, request_id: str, deadline: Deadline
    ) -> ModelAnswer:
        """Raises `DeadlineError`, a `ServerError`, or what the model refuses as an `InvalidRequestError`."""
