"""What is asked, what came back, and what is written down of it."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

OK = "ok"
# Codes of ours, beside the contract's. A wrong answer counts as a failure, however quick it was.
NO_ANSWER = "no_answer"  # within the deadline and a little
NO_CONNECTION = "no_connection"
NOT_SENT = "not_sent"  # the generator had too many requests in flight
NOT_REPLAYED = "not_replayed"
OTHER_BYTES = "replay_differs"
OTHER_VERSION = "other_version"
NO_FRONDS = "answer_invalid"  # it says success, and is none of Frond's
DEFECT = "generator_failed"  # a bug of the load test; its log has the traceback

DEADLINE_SECONDS = 8.0  # as the SDK's
PATIENCE_SECONDS = 1.0  # beyond the deadline, for the answer that says it has passed


@dataclass(frozen=True, slots=True)
class Order:
    """One photo to be diagnosed, for whoever the token names; `version` is the release that is asked, None: any."""

    token: str
    photo: bytes
    version: str | None = None
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    ends_at: float = field(default_factory=lambda: time.monotonic() + DEADLINE_SECONDS)

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.ends_at - time.monotonic())

    @property
    def patience_seconds(self) -> float:
        return self.seconds_left + PATIENCE_SECONDS

    def headers(self) -> dict[str, str]:
        """Of a request of the gateway's own API."""
        return {
            "Authorization": f"Bearer {self.token}",
            "Idempotency-Key": str(self.key),
            "X-Frond-Deadline-Ms": str(int(self.seconds_left * 1000)),
        }

    @property
    def details(self) -> dict[str, object]:
        """What both forms of the request share."""
        chosen = {} if self.version is None else {"modelVersion": self.version}
        return {"assessmentId": "load-test", "plantContext": {"id": "load-test"}, **chosen}


@dataclass(frozen=True, slots=True)
class Answer:
    """`code`: `OK`, the error's of the contract, or one of ours. `body`: the bytes by which a replay must equal it."""

    code: str
    body: bytes = b""
    is_replay: bool = False
    version: str | None = None


class Kind(Protocol):
    """A way to ask. `has_keys`: whether a request that is sent twice is answered once."""

    name: ClassVar[str]
    has_keys: ClassVar[bool]

    async def ask(self, order: Order) -> Answer:
        """Raises nothing: what went wrong is the answer's code. The same order may be asked again."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One request. `at`: when it was meant to be sent, in seconds since the epoch; `seconds`: until its answer."""

    at: float
    seconds: float
    kind: str
    code: str = OK
    is_duplicate: bool = False
    group: str = "users"

    @property
    def ended_at(self) -> float:
        return self.at + self.seconds

    @property
    def is_ok(self) -> bool:
        return self.code == OK
