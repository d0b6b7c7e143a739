"""What the diagnosis service handles, and what it needs of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from uuid import UUID

    from frond.types import DiagnosisDetails
    from gateway.auth.protocols import Caller
    from gateway.deadline import Deadline


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


@dataclass(frozen=True, slots=True)
class Answer:
    """A body as it goes out and is stored: the HTTP status, and of a rejection its category and code."""

    status: int
    body: bytes
    rejection: dict[str, Any] | None = None
    replayed: bool = False


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


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """`diagnose`'s JSON, and how long the call took."""

    content: bytes
    seconds: float


class IdempotencyStore(Protocol):
    """Each method is one round trip. All raise `DatabaseUnavailableError`."""

    async def claim(self, claim: Claim) -> Answer | None:
        """None: the key is ours until the lease ends. Else the stored answer.

        Raises `IdempotencyKeyReusedError` for another payload, `RequestInFlightError` while another attempt is at work.
        """

    async def complete(self, claim: Claim, answer: Answer) -> Answer:
        """Store the answer; returns what is stored, which is another attempt's answer if that took over and was faster.

        Raises `RequestInFlightError` when another attempt took over and is still at work.
        """

    async def release(self, claim: Claim) -> None:
        """Let the next attempt begin at once. Without effect for who is not the owner any more."""


class PhotoSource(Protocol):
    """Where uploaded photos lie."""

    def check_owner(self, caller: Caller, url: str, sha256: str) -> None:
        """Raises `ImageUrlForeignError`, `ObjectForbiddenError` or `ImageHashMismatchError`, from the URL alone."""

    async def load(self, caller: Caller, url: str, sha256: str, size_bytes: int) -> bytes:
        """The photo. Raises what `check_owner` does, and for a bad signature, size or hash, or when it is not there."""


class Diagnoser(Protocol):
    """Triton's model `diagnose`."""

    async def diagnose(
        self, photos: Sequence[bytes], top_k: int, version: str | None, request_id: str, deadline: Deadline
    ) -> ModelAnswer:
        """Raises `DeadlineError`, a `ServerError`, or what the model refuses as an `InvalidRequestError`."""
