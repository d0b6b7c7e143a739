"""Both clients as one thing to call, so that one table of cases is for both."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, Self

from frond.client import CloudInferenceClient

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from frond.options import CloudPrediction, PhotoSource, PredictOptions
    from frond.types import ImageReference


class Caller(Protocol):
    """What the two have in common."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...

    async def predict(self, options: PredictOptions, /) -> CloudPrediction: ...

    async def upload_images(self, photos: Sequence[PhotoSource], /) -> list[ImageReference]: ...


class WaitingCaller:
    """The client of programs without an event loop; each call waits on a thread of the test's."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.client = CloudInferenceClient(*arguments, **options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(self.client.close)

    async def predict(self, options: PredictOptions) -> CloudPrediction:
        return await asyncio.to_thread(self.client.predict, options)

    async def upload_images(self, photos: Sequence[PhotoSource]) -> list[ImageReference]:
        return await asyncio.to_thread(self.client.upload_images, photos)
