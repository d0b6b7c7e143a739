"""What answers an order, step by step within one budget: fetch the photos, look at them, have them diagnosed."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from gateway.cancellation import together
from gateway.diagnoses import assembly
from gateway.diagnoses.photos import inspect, naming
from gateway.diagnoses.protocols import Answer
from gateway.envelope import failure_body, success_body
from gateway.errors import DeadlineError, GatewayError, StorageUnavailableError, TritonUnavailableError
from gateway.threads import off_loop_if_large

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frond.types import Diagnosis, Error
    from gateway.deadline import Deadline
    from gateway.diagnoses.protocols import Diagnoser, ModelAnswer, Order, Photo, PhotoSource
    from gateway.metrics import Metrics

WORK_SECONDS = 5.0  # towards Triton, fetching the photos included; a caller may have less


class Work:
    def __init__(self, photos: PhotoSource, diagnoser: Diagnoser, metrics: Metrics) -> None:
        self._photos = photos
        self._diagnoser = diagnoser
        self._metrics = metrics

    def check_owners(self, order: Order) -> None:
        """Raises what `PhotoSource.check_owner` does."""
        for index, photo in enumerate(order.photos):
            if photo.url is not None:
                with naming(index):
                    self._photos.check_owner(order.caller, photo.url, photo.sha256)

    async def answer(self, order: Order) -> Answer:
        """A diagnosis, or a rejection that would be the same at each try. Other errors are raised."""
        try:
            return Answer(200, success_body(order.request_id, await self._diagnose(order)))
        except GatewayError as error:
            if not error.is_deterministic:
                raise
            rejection = {"status": error.status, "category": error.category, "code": error.code}
            return Answer(error.status, failure_body(order.request_id, error), rejection)

    async def _diagnose(self, order: Order) -> Diagnosis:
        deadline = order.deadline.within(WORK_SECONDS)
        contents = await self._fetch(order, deadline)
        faults = await self._validate(order, contents)
        readable = [content for content, fault in zip(contents, faults, strict=True) if fault is None]
        answer = await self._infer(order, readable, deadline)
        return assembly.assemble(order, faults, answer)

    async def _fetch(self, order: Order, deadline: Deadline) -> list[bytes]:
        """What came along is here already; what is named by URL is fetched, several at once."""
        if (contents := contents_of(order.photos)) is not None:
            return contents
        # Not before the claim: what a request only says would take the room of others, at no cost to who says it.
        order.share.take(sum(photo.size_bytes for photo in order.photos if photo.content is None))
        with self._metrics.stage("fetch"):
            try:
                async with asyncio.timeout(deadline.remaining()):
                    return await together(*(self._content(order, index) for index in range(len(order.photos))))
            except TimeoutError as error:
                if order.deadline.is_over():
                    raise DeadlineError("The deadline passed while the photos were fetched.") from error
                raise StorageUnavailableError("The photos could not be fetched in time. Try again.") from error

    async def _content(self, order: Order, index: int) -> bytes:
        photo = order.photos[index]
        if photo.content is not None:
            return photo.content
        assert photo.url is not None
        with naming(index):
            return await self._photos.load(order.caller, photo.url, photo.sha256, photo.size_bytes)

    async def _validate(self, order: Order, contents: Sequence[bytes]) -> list[Error | None]:
        with self._metrics.stage("validate"):
            faults = [
                await off_loop_if_large(partial(inspect, declared_type=photo.declared_type), content)
                for photo, content in zip(order.photos, contents, strict=True)
            ]
            assembly.refuse_if_unreadable(faults)
            return faults

    async def _infer(self, order: Order, photos: list[bytes], deadline: Deadline) -> ModelAnswer:
        details = order.details
        with self._metrics.stage("infer"):
            try:
                return await self._diagnoser.diagnose(
                    photos, details.top_k, details.model_version, order.request_id, deadline
                )
            except DeadlineError as error:
                if order.deadline.is_over():
                    raise
                raise TritonUnavailableError("The model did not answer in time. Try again.") from error


def contents_of(photos: Sequence[Photo]) -> list[bytes] | None:
    """None if one has yet to be fetched."""
    contents = [photo.content for photo in photos if photo.content is not None]
    return contents if len(contents) == len(photos) else None
