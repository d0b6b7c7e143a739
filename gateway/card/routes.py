"""`GET /v1/model` over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from frond.types import DiagnosisResponse, WireModel
from gateway.auth.bearer import caller_of
from gateway.envelope import JSON
from gateway.openapi import failures, of_user

if TYPE_CHECKING:
    from gateway.card.store import RepositoryCards

router = APIRouter(tags=["health"])


class ModelCard(WireModel):
    """The model that answers where a request names no version."""

    version: str
    releases: list[str] = Field(description="all that can be named as `modelVersion`")
    card: dict[str, Any] | None = Field(
        description="its `card.json`: what was measured, on what, with intervals; null: nobody measured it"
    )


@router.get(
    "/v1/model",
    summary="The card of the model that is served",
    response_model=ModelCard,
    responses=failures(DiagnosisResponse, 401, 403, 404, 429, 500, 503),
    openapi_extra=of_user({}),
)
async def model(request: Request) -> Response:
    """404 where the gateway was not told where the model repository lies."""
    caller_of(request)
    cards: RepositoryCards = request.state.cards
    served = await asyncio.to_thread(cards.read)
    answer = ModelCard(version=served.version, releases=list(served.releases), card=served.card)
    return Response(answer.model_dump_json(by_alias=True), media_type=JSON)
