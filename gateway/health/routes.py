"""`/health/live`, `/health/serving` and `/health/ready`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

if TYPE_CHECKING:
    from gateway.health.service import ReadinessService

router = APIRouter(prefix="/health", tags=["health"])


class Liveness(BaseModel):
    live: bool


class Part(BaseModel):
    """A part that a request needs, and what is wrong with it."""

    ready: bool
    reason: str | None


class ReadinessReport(BaseModel):
    ready: bool
    draining: bool
    parts: dict[str, Part]


@router.get("/live", summary="Whether the process serves")
async def live() -> Liveness:
    return Liveness(live=True)


@router.get(
    "/serving",
    summary="Whether load balancers shall send requests here: until it drains",
    response_model=Liveness,
    responses={503: {"model": Liveness, "description": "draining"}},
)
async def serving(request: Request, response: Response) -> Liveness:
    """What is out elsewhere does not count: typed errors, replays and uploads are answered all the same."""
    service: ReadinessService = request.state.readiness
    response.status_code = 503 if service.is_draining else 200
    return Liveness(live=True)


@router.get(
    "/ready",
    summary="Whether a request would be answered: database, Triton and a synthetic inference",
    response_model=ReadinessReport,
    responses={503: {"model": ReadinessReport, "description": "not ready"}},
)
async def ready(request: Request, response: Response) -> ReadinessReport:
    service: ReadinessService = request.state.readiness
    readiness = await service.readiness()
    response.status_code = 200 if readiness.is_ready else 503
    parts = {name: Part(ready=part.is_ready, reason=part.reason) for name, part in readiness.parts.items()}
    return ReadinessReport(ready=readiness.is_ready, draining=readiness.is_draining, parts=parts)
