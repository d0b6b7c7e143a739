"""One call of the client under way: photos, uploads, and the attempts for the diagnosis, under one deadline."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from frond.attempts import Attempts, Trail, ended_by, together
from frond.clock import now
from frond.errors import CloudInferenceError
from frond.options import CloudPrediction
from frond.policy.delivery import goes_along
from frond.policy.photos import Photo, UnfitPhoto, check_photos
from frond.policy.request import (
    DIAGNOSIS_PATH,
    JSON,
    UPLOAD_PATH,
    Body,
    CallIdentity,
    details_of,
    multipart_body,
    reference_body,
)
from frond.policy.response import diagnosis_in, storage_failure, ticket_in
from frond.reading import read_photos
from frond.tracing import Spans
from frond.types import ImageReference, UploadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from frond.configuration import ClientOptions
    from frond.exchange import Exchange
    from frond.options import PhotoSource, PredictOptions
    from frond.policy.deadline import Deadline
    from frond.tokens import Tokens
    from frond.types import Diagnosis

Prepared: TypeAlias = Photo | UnfitPhoto | ImageReference

SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Connection:
    """What all calls of a client share."""

    exchange: Exchange
    tokens: Tokens
    options: ClientOptions


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        started = now()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + now() - started


class Call:
    """Used once."""

    def __init__(self, connection: Connection, deadline: Deadline) -> None:
        self._exchange = connection.exchange
        self._tokens = connection.tokens
        self._options = connection.options
        self._deadline = deadline
        self._trail = Trail()
        self._stages = Stages()
        self._spans = Spans(connection.options.tracer)

    async def predict(self, options: PredictOptions) -> CloudPrediction:
        identity = CallIdentity.new(options.idempotency_key)
        attempts = self._attempts()
        with self._stages.timed("total"), self._spans.call("frond.predict"):
            async with ended_by(self._deadline, self._trail):
                photos = await self._prepared(options)
                body = await self._body(options, photos, identity)
                with self._stages.timed("infer"):
                    diagnosis, request_id, is_replayed = await attempts.until_answered(
                        lambda token, attempt: self._ask(identity, body, token, attempt)
                    )
        return CloudPrediction(
            diagnosis=_with_unfit(diagnosis, photos),
            request_id=request_id,
            idempotency_key=identity.idempotency_key,
            replayed=is_replayed,
            attempts=attempts.count,
            stage_seconds=self._stages.seconds,
        )

    async def upload(self, sources: Sequence[PhotoSource]) -> list[ImageReference]:
        with self._spans.call("frond.upload_images"):
            async with ended_by(self._deadline, self._trail):
                photos = await read_photos(sources, self._options.photos)
                for index, photo in enumerate(photos):
                    if isinstance(photo, UnfitPhoto):
                        raise photo.refusal(index)
                fit = [photo for photo in photos if isinstance(photo, Photo)]
                return await self._upload_all(fit, CallIdentity.new())

    async def _prepared(self, options: PredictOptions) -> list[Prepared]:
        """In the order of the options. What the cheapest checks refuse is refused before a photo is touched."""
        details_of(options)
        check_photos(options.photos)
        sources = [photo for photo in options.photos if not isinstance(photo, ImageReference)]
        goes_along(options.delivery, 0, has_uploaded=len(sources) < len(options.photos))
        with self._stages.timed("prepare"):
            read = iter(await read_photos(sources, self._options.photos))
        prepared = [photo if isinstance(photo, ImageReference) else next(read) for photo in options.photos]
        unfit = [photo for photo in prepared if isinstance(photo, UnfitPhoto)]
        if len(unfit) == len(prepared):
            raise unfit[0].refusal(0)
        return prepared

    async def _body(self, options: PredictOptions, photos: Sequence[Prepared], identity: CallIdentity) -> Body:
        details = details_of(options)
        here = [photo for photo in photos if isinstance(photo, Photo)]
        has_uploaded = any(isinstance(photo, ImageReference) for photo in photos)
        if goes_along(options.delivery, sum(len(photo.content) for photo in here), has_uploaded=has_uploaded):
            return multipart_body(details, here)
        with self._stages.timed("upload"):
            uploaded = iter(await self._upload_all(here, identity))
        fit = (photo for photo in photos if not isinstance(photo, UnfitPhoto))
        return reference_body(details, [next(uploaded) if isinstance(photo, Photo) else photo for photo in fit])

    async def _ask(self, identity: CallIdentity, body: Body, token: str, attempt: int) -> tuple[Diagnosis, str, bool]:
        with self._attempt("POST", DIAGNOSIS_PATH, identity, attempt):
            headers = identity.headers(token, attempt, self._deadline) | {"Content-Type": body.content_type}
            answer = await self._exchange.send("POST", DIAGNOSIS_PATH, headers, body.content)
            return *diagnosis_in(answer), answer.is_replayed

    @contextmanager
    def _attempt(self, method: str, path: str, identity: CallIdentity, attempt: int) -> Iterator[None]:
        """A span; and what goes wrong in it bears the attempt's name, unless the service gave another."""
        request_id = self._trail.request_id = identity.attempt_id(attempt)
        with self._spans.attempt(method, path, attempt):
            try:
                yield
            except CloudInferenceError as error:
                error.request_id = error.request_id or request_id
                raise

    async def _upload_all(self, photos: Sequence[Photo], identity: CallIdentity) -> list[ImageReference]:
        return await together(self._upload(photo, identity) for photo in photos)

    async def _upload(self, photo: Photo, identity: CallIdentity) -> ImageReference:
        started = now()
        telemetry = self._options.telemetry
        try:
            reference = await self._attempts().until_answered(
                lambda token, attempt: self._upload_once(photo, identity, token, attempt)
            )
        except CloudInferenceError as error:
            telemetry.log_image_upload(now() - started, error)
            raise
        telemetry.log_image_upload(now() - started)
        return reference

    async def _upload_once(self, photo: Photo, identity: CallIdentity, token: str, attempt: int) -> ImageReference:
        """A new ticket for each attempt: one may have expired, and the storage behind it be another."""
        request = Body.json(UploadRequest.model_validate(photo.declaration, from_attributes=True))
        with self._attempt("POST", UPLOAD_PATH, identity, attempt):
            headers = identity.headers(token, attempt, self._deadline) | {"Content-Type": JSON}
            ticket = ticket_in(await self._exchange.send("POST", UPLOAD_PATH, headers, request.content))
        with self._attempt("PUT", "photo", identity, attempt):  # to the storage, which is told nothing of the trace
            answer = await self._exchange.send("PUT", str(ticket.upload_url), ticket.upload_headers, photo.content)
            if answer.status not in SUCCESS:
                raise storage_failure(answer)
        return ImageReference(url=ticket.download_url, **dict(photo.declaration))

    def _attempts(self) -> Attempts:
        return Attempts(self._tokens, self._options.retry, self._deadline, self._trail)


def _with_unfit(diagnosis: Diagnosis, photos: Sequence[Prepared]) -> Diagnosis:
    """The answer for those that were sent, and at their places those that were not."""
    images = list(diagnosis.images)
    for index, photo in enumerate(photos):
        if isinstance(photo, UnfitPhoto):
            images.insert(index, photo.diagnosis)
    return diagnosis.model_copy(update={"images": images})
