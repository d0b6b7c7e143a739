"""`GET /v1/status` over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from pydantic import Field

from frond.types import DiagnosisResponse, WireModel
from gateway.auth.bearer import caller_of
from gateway.envelope import JSON
from gateway.openapi import failures, of_user
from gateway.status.protocols import BreakerState  # noqa: TC001
from gateway.version import VERSION

if TYPE_CHECKING:
    from gateway.status.service import Status, StatusService

router = APIRouter(tags=["health"])


class TritonStatus(WireModel):
    """One Triton, without its address."""

    breaker: BreakerState = Field(description="closed: it is asked; open: it is not; half_open: it is being tried")
    in_flight: int
    version: str | None = Field(description="of Triton; null: it does not say now")


class RecentDiagnoses(WireModel):
    """Diagnosis requests of the last minutes, in this process."""

    seconds: float = Field(description="how long ago they begin")
    answered: int
    failed: dict[str, int] = Field(description="by the category of their errors")
    replayed: int
    p50_ms: float | None
    p95_ms: float | None


class ServiceStatus(WireModel):
    """What the gateway that answered knows of itself: one of several knows nothing of the others."""

    version: str
    uptime_seconds: float
    recent: RecentDiagnoses
    tritons: list[TritonStatus]


@router.get(
    "/v1/status",
    summary="How the service is doing: requests, latency, breakers, versions",
    response_model=ServiceStatus,
    responses=failures(DiagnosisResponse, 401, 403, 429, 500, 503),
    openapi_extra=of_user({}),
)
async def status(request: Request) -> Response:
    """For signed-in users: no address, no path, nothing of any user."""
    caller_of(request)
    service: StatusService = request.state.status
    return Response(report(await service.status()).model_dump_json(by_alias=True), media_type=JSON)


def report(status: Status) -> ServiceStatus:
    recent = status.recent
    return ServiceStatus(
        version=VERSION,
        uptime_seconds=round(status.uptime_seconds, 1),
        recent=RecentDiagnoses(
            seconds=round(recent.seconds, 1),
            answered=recent.categories.get("none", 0),
            failed={name: count for name, count in recent.categories.items() if name != "none"},
            replayed=recent.replayed,
            p50_ms=milliseconds(recent.p50_seconds),
            p95_ms=milliseconds(recent.p95_seconds),
        ),
        tritons=[
            TritonStatus(breaker=server.breaker, in_flight=server.in_flight, version=server.version)
            for server in status.servers
        ],
    )


def milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
