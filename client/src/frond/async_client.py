"""The client for programs that run an event loop (asyncio)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from frond.attempts import under_key
from frond.calls import Call, Connection
from frond.clock import now
from frond.configuration import ClientOptions
from frond.errors import CloudInferenceError
from frond.exchange import Exchange
from frond.policy.deadline import HARD_DEADLINE_SECONDS, Deadline
from frond.policy.photos import check_photos
from frond.reports import Reports
from frond.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from frond.options import CloudPrediction, PhotoSource, PredictOptions
    from frond.telemetry import Telemetry
    from frond.tokens import TokenSource
    from frond.types import ImageReference


class AsyncCloudInferenceClient:
    """Diagnoses photos in the cloud; keeps its connections, so make one and use it for all calls of an event loop.

    When that loop is closed, another may use it; in a child of a fork it makes connections of its own.
    `base_url`: of the service. `token`: the user's access token, or a callback that gives it. `refresh_token`: asked
    once a call when the service refuses a token. Every method raises `CloudInferenceError` and nothing else, save
    cancellation, which ends the call's connections at once.
    """

    def __init__(
        self,
        base_url: str,
        token: TokenSource,
        *,
        refresh_token: TokenSource | None = None,
        options: ClientOptions | None = None,
    ) -> None:
        self._options = options or ClientOptions()
        exchange, tokens = Exchange(base_url, self._options.wire), Tokens(token, refresh_token)
        self._connection = Connection(exchange, tokens, self._options)
        self.reports = Reports(self._options.reporting, exchange, tokens)
        self._options.telemetry.add_sink(self.reports.add)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, after a last try, of half a second at most, to send the telemetry."""
        self._options.telemetry.remove_sink(self.reports.add)
        await self.reports.close()
        await self._connection.exchange.close()

    @property
    def telemetry(self) -> Telemetry:
        return self._options.telemetry

    async def predict(self, options: PredictOptions) -> CloudPrediction:
        """Diagnose the photos of one assessment, within `options.timeout_seconds` whatever happens.

        The request has one idempotency key in all its attempts, so that at most one answer is ever made and stored.
        """
        self.reports.start()
        started = now()
        options = options.with_key()
        try:
            with under_key(options.idempotency_key):
                deadline = Deadline.after(options.timeout_seconds, now)
                prediction = await Call(self._connection, deadline).predict(options)
        except CloudInferenceError as error:
            self.telemetry.log_cloud_inference_failure(now() - started, error, options.mode)
            raise
        seconds = now() - started
        if prediction.replayed:
            self.telemetry.log_idempotency_hit(seconds)
        if prediction.attempts > 1 or not prediction.replayed:
            self.telemetry.log_cloud_inference_success(seconds, options.mode)
        return prediction

    async def upload_images(
        self, photos: Sequence[PhotoSource], *, timeout_seconds: float = HARD_DEADLINE_SECONDS
    ) -> list[ImageReference]:
        """Upload photos ahead of a `predict` that names them, in their order. Good for an hour, for this user alone.

        Raises `CloudValidationError` for the first photo that is broken, before any is sent.
        """
        self.reports.start()
        check_photos(photos)
        return await Call(self._connection, Deadline.after(timeout_seconds, now)).upload(photos)
