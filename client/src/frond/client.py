"""The client for programs without an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from frond.async_client import AsyncCloudInferenceClient
from frond.attempts import under_key
from frond.policy.deadline import HARD_DEADLINE_SECONDS
from frond.portal import Portal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from frond.configuration import ClientOptions
    from frond.options import CloudPrediction, PhotoSource, PredictOptions
    from frond.telemetry import Telemetry
    from frond.tokens import TokenSource
    from frond.types import ImageReference


class CloudInferenceClient:
    """`AsyncCloudInferenceClient` with calls that wait; may be used by several threads at once.

    The work is done by an event loop on a thread of this client: only so does the deadline end every stage, the look-up
    of a name and a slow trickle included (docs/decisions/0016). Callbacks are called on other threads than the
    caller's. A client that was made before a fork works in the child too, which starts a thread of its own.
    """

    def __init__(
        self,
        base_url: str,
        token: TokenSource,
        *,
        refresh_token: TokenSource | None = None,
        options: ClientOptions | None = None,
    ) -> None:
        self.asynchronous = AsyncCloudInferenceClient(base_url, token, refresh_token=refresh_token, options=options)
        self.portal = Portal(self.asynchronous.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and end the thread; calls under way fail. May be called again."""
        self.portal.close()

    @property
    def telemetry(self) -> Telemetry:
        return self.asynchronous.telemetry

    def predict(self, options: PredictOptions) -> CloudPrediction:
        """As `AsyncCloudInferenceClient.predict`."""
        options = options.with_key()
        with under_key(options.idempotency_key):
            return self.portal.run(self.asynchronous.predict(options))

    def upload_images(
        self, photos: Sequence[PhotoSource], *, timeout_seconds: float = HARD_DEADLINE_SECONDS
    ) -> list[ImageReference]:
        """As `AsyncCloudInferenceClient.upload_images`."""
        return self.portal.run(self.asynchronous.upload_images(photos, timeout_seconds=timeout_seconds))
