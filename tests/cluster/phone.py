"""A user's phone: it asks through the Python SDK, with both ways for photos, and over HTTP as the contract has it."""

from __future__ import annotations

import asyncio
import random
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

import httpx2

from frond.async_client import AsyncCloudInferenceClient
from frond.configuration import ClientOptions
from frond.errors import CloudTimeoutError
from frond.options import PredictOptions
from frond.policy.deadline import HARD_DEADLINE_SECONDS
from frond.policy.retry import RetryPolicy
from tests.gateways import PATH, form

if TYPE_CHECKING:
    from types import TracebackType

Way: TypeAlias = Literal["multipart", "signed_urls", "plain"]

WAYS: tuple[Way, ...] = ("multipart", "signed_urls", "plain")
RETRY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Request:
    """One diagnosis that a phone wants, under its key."""

    way: Way
    photo: bytes
    key: uuid.UUID = field(default_factory=uuid.uuid4)


@dataclass(frozen=True, slots=True)
class Answer:
    """`content` is byte for byte the body where the caller sees it, and otherwise the SDK's diagnosis."""

    content: str
    version: str
    is_replayed: bool


class Phone:
    """One user. `retries` counts what the calls hid from him."""

    def __init__(self, url: str, token: str) -> None:
        self.retries = 0
        self._sdk = AsyncCloudInferenceClient(url, token, options=ClientOptions(retry=RetryPolicy(draw=self._retried)))
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx2.AsyncClient(base_url=url, headers=headers, timeout=None, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._sdk.aclose()
        await self._http.aclose()

    async def ask(self, request: Request) -> Answer:
        """One call. Raises `CloudInferenceError`."""
        return await (self._ask_plainly(request) if request.way == "plain" else self._ask_sdk(request))

    def _retried(self) -> float:
        """The policy draws a wait for each retry, also of uploads."""
        self.retries += 1
        return random.random()

    async def _ask_sdk(self, request: Request) -> Answer:
        assert request.way != "plain"
        asked = PredictOptions(
            photos=[request.photo],
            assessment_id="assessment-456",
            plant_context={"id": "plant-123"},
            idempotency_key=request.key,
            delivery=request.way,
        )
        answer = await self._sdk.predict(asked)
        return Answer(answer.diagnosis.model_dump_json(), answer.diagnosis.model.version, answer.replayed)

    async def _ask_plainly(self, request: Request) -> Answer:
        """Again while there is none, or an error that may be tried again, until the deadline."""
        try:
            async with asyncio.timeout(HARD_DEADLINE_SECONDS):
                while (answer := await self._try(request)) is None:
                    self.retries += 1
                    await asyncio.sleep(RETRY_SECONDS)
        except TimeoutError as error:
            raise CloudTimeoutError("No answer within the deadline.", code="deadline_exceeded") from error
        return answer

    async def _try(self, request: Request) -> Answer | None:
        headers = {"Idempotency-Key": str(request.key)}
        try:
            response = await self._http.post(PATH, files=form(request.photo), headers=headers)
        except httpx2.TransportError:
            return None
        if response.status_code != httpx2.codes.OK:
            assert response.status_code in {409, 429, 502, 503, 504}, response.text
            return None
        version = response.json()["result"]["model"]["version"]
        return Answer(response.text, version, response.headers.get("Idempotency-Replayed") == "true")
