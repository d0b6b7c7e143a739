"""One diagnosis for each idempotency key: claim it, do the work, store the answer, and only then give it out."""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from gateway.diagnoses import assembly, fingerprint
from gateway.diagnoses.photos import inspect
from gateway.diagnoses.protocols import Answer, Claim
from gateway.envelope import failure_body, success_body
from gateway.errors import DatabaseUnavailableError, DeadlineError, GatewayError
from gateway.threads import off_loop_if_large

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from frond.types import Diagnosis
    from gateway.deadline import Deadline
    from gateway.diagnoses.protocols import Diagnoser, IdempotencyStore, Order, Photo, PhotoSource

logger = logging.getLogger(__name__)

WORK_SECONDS = 5.0  # towards Triton, fetching the photos included; a caller may have less
# What an attempt may take beyond its deadline: the claiming and the completing statement, 2 s each at most.
LEASE_MARGIN_SECONDS = 5.0

T = TypeVar("T")


class DiagnosisService:
    """Knows neither HTTP nor SQL nor gRPC."""

    def __init__(self, store: IdempotencyStore, photos: PhotoSource, diagnoser: Diagnoser) -> None:
        self._store = store
        self._photos = photos
        self._diagnoser = diagnoser

    async def answer(self, order: Order) -> Answer:
        """The answer under the order's key, new or stored. What is raised was not stored: the key is free again."""
        for photo in order.photos:
            if photo.url is not None:
                self._photos.check_owner(order.caller, photo.url, photo.sha256)
        claim = claim_for(order)
        try:
            stored = await uncancelled(self._store.claim(claim))
        except asyncio.CancelledError:
            await uncancelled(self._release(claim))
            raise
        if stored is not None:
            return stored
        try:
            answer = await self._attempt(order)
        except BaseException:
            await uncancelled(self._release(claim))
            raise
        # An answer leaves only when it is stored, and once there is one, a hang-up does not undo it.
        return await uncancelled(self._store.complete(claim, answer))

    async def _attempt(self, order: Order) -> Answer:
        """A diagnosis, or a rejection that would be the same at each try."""
        try:
            return Answer(200, success_body(order.request_id, await self._diagnose(order)))
        except GatewayError as error:
            if not error.is_deterministic:
                raise
            rejection = {"status": error.status, "category": error.category, "code": error.code}
            return Answer(error.status, failure_body(order.request_id, error), rejection)

    async def _diagnose(self, order: Order) -> Diagnosis:
        deadline = order.deadline.within(WORK_SECONDS)
        contents = await self._load(order, deadline)
        faults = [
            await off_loop_if_large(partial(inspect, declared_type=photo.declared_type), content)
            for photo, content in zip(order.photos, contents, strict=True)
        ]
        assembly.refuse_if_unreadable(faults)
        readable = [content for content, fault in zip(contents, faults, strict=True) if fault is None]
        details = order.details
        answer = await self._diagnoser.diagnose(
            readable, details.top_k, details.model_version, order.request_id, deadline
        )
        return assembly.assemble(order, faults, answer)

    async def _load(self, order: Order, deadline: Deadline) -> list[bytes]:
        try:
            async with asyncio.timeout(deadline.remaining()):
                return await asyncio.gather(*(self._content(order, photo) for photo in order.photos))
        except TimeoutError as error:
            raise DeadlineError("The deadline passed while the photos were fetched.") from error

    async def _content(self, order: Order, photo: Photo) -> bytes:
        if photo.content is not None:
            return photo.content
        assert photo.url is not None
        return await self._photos.load(order.caller, photo.url, photo.sha256, photo.size_bytes)

    async def _release(self, claim: Claim) -> None:
        try:
            await self._store.release(claim)
        except DatabaseUnavailableError:
            logger.warning("a key stays claimed until its lease ends")


def claim_for(order: Order) -> Claim:
    asked = fingerprint.payload(order.details, (photo.sha256 for photo in order.photos))
    seconds = order.deadline.within(WORK_SECONDS).remaining() + LEASE_MARGIN_SECONDS
    return Claim(
        caller=order.caller,
        key=order.key,
        payload=asked,
        payload_hash=fingerprint.fingerprint(asked),
        client_tx_id=order.details.assessment_id,
        owner_token=uuid.uuid4(),
        lease=timedelta(seconds=seconds),
    )


async def uncancelled(work: Coroutine[None, None, T]) -> T:
    """Let the work end even if we are cancelled meanwhile; the cancellation goes on afterwards."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
