"""The Python SDK as an app uses it: its deadline, its retries, its choice between sending along and uploading first."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, ClassVar

from frond.async_client import AsyncCloudInferenceClient
from frond.configuration import ClientOptions
from frond.errors import CloudInferenceError
from frond.exchange import Wire
from frond.options import PredictOptions
from frond.policy.photos import PhotoPolicy
from frond.reports import Reporting
from frond.types import MAX_IMAGE_BYTES, PlantContext
from loadtest.asking.answer import OK, Answer

if TYPE_CHECKING:
    from loadtest.asking.answer import Order

# Scaling a photo is the phone's work; here it would be the server's machine that did it.
PHOTOS = PhotoPolicy(max_bytes=MAX_IMAGE_BYTES)


class Sdk:
    """A client for each token, as each phone has one. A failure is one that the retries could not mend."""

    name: ClassVar[str] = "sdk"
    has_keys: ClassVar[bool] = True

    def __init__(self, url: str) -> None:
        self._url = url
        self._clients: dict[str, AsyncCloudInferenceClient] = {}
        self._tls = ssl.create_default_context()  # reading the certificates takes longer than a request

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def ask(self, order: Order) -> Answer:
        options = PredictOptions(
            photos=[order.photo],
            assessment_id="load-test",
            plant_context=PlantContext(id="load-test"),
            model_version=order.version,
            idempotency_key=order.key,
        )
        try:
            prediction = await self._client(order.token).predict(options)
        except CloudInferenceError as error:
            return Answer(error.code)
        body = f"{prediction.request_id} {prediction.diagnosis.model_dump_json()}".encode()
        return Answer(OK, body, prediction.replayed, prediction.diagnosis.model.version)

    def _client(self, token: str) -> AsyncCloudInferenceClient:
        if token not in self._clients:
            options = ClientOptions(photos=PHOTOS, wire=Wire(tls=self._tls), reporting=Reporting(sample_ratio=0))
            self._clients[token] = AsyncCloudInferenceClient(self._url, token, options=options)
        return self._clients[token]
