"""The one place that knows every part: what is opened at the start, and which routes and layers serve it."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, TypedDict

from fastapi import FastAPI
from fastapi_swagger import patch_fastapi

from frond.types import MAX_IMAGES
from gateway import edge, envelope, openapi
from gateway.announcements import open_announcements
from gateway.auth.issuer import open_issuer_keys
from gateway.auth.keys import FileKeySet, NoKeySet
from gateway.auth.service import TokenVerifier
from gateway.canary.diagnoser import CanaryDiagnoser
from gateway.canary.service import CanaryTrial, running
from gateway.canary.store import PostgresTrials
from gateway.card.routes import router as card_router
from gateway.card.store import RepositoryCards
from gateway.cleanup.service import CleanupService, cleaning
from gateway.cleanup.store import PostgresExpiredRows
from gateway.console import routes as console
from gateway.cors import Cors
from gateway.database import open_database
from gateway.diagnoses.routes import router as diagnoses_router
from gateway.diagnoses.service import DiagnosisService
from gateway.diagnoses.store import PostgresStore, RateLimit
from gateway.exposition import open_exposition
from gateway.health.routes import router as health_router
from gateway.health.service import Lifecycle, ReadinessService
from gateway.health.store import DatabaseProbe
from gateway.inference.service import open_inference
from gateway.memory import Memory
from gateway.metrics import Metrics
from gateway.protocol.grpc.routes import open_grpc
from gateway.protocol.rest.routes import router as protocol_router
from gateway.protocol.service import ProtocolService
from gateway.protocol.store import PostgresLimits
from gateway.rates import UserRate
from gateway.settings import Storage, read_secret
from gateway.status.routes import router as status_router
from gateway.status.service import StatusService
from gateway.status.window import open_window, read
from gateway.telemetry.routes import router as telemetry_router
from gateway.telemetry.service import BURST, PER_MINUTE, TelemetryService
from gateway.tracing import Tracing, open_tracing
from gateway.unauthenticated import Identification, UnauthenticatedCap
from gateway.uploads.backends import open_storage
from gateway.uploads.local import STORAGE_PATH
from gateway.uploads.local_routes import router as local_storage_router
from gateway.uploads.routes import router as uploads_router
from gateway.uploads.service import UploadService
from gateway.uploads.watched import WatchedStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from gateway.auth.protocols import KeySource
    from gateway.health.protocols import Probe
    from gateway.settings import Settings
    from gateway.uploads.protocols import PhotoStorage

    OpenParts = Callable[[Settings, Lifecycle], AbstractAsyncContextManager["Parts"]]

SIGNING_KEY_BYTES = 32  # as long as the hash (RFC 2104, section 3)


class Parts(TypedDict):
    """What routes find in `request.state`."""

    verifier: TokenVerifier
    unauthenticated: UnauthenticatedCap
    diagnoses: DiagnosisService
    uploads: UploadService
    storage: PhotoStorage
    readiness: ReadinessService
    protocol: ProtocolService
    status: StatusService
    telemetry: TelemetryService
    cards: RepositoryCards
    memory: Memory
    metrics: Metrics
    tracing: Tracing


@asynccontextmanager
async def open_verifier(settings: Settings, metrics: Metrics) -> AsyncIterator[TokenVerifier]:
    """A file of keys and a secret must be there; the issuer need not be."""
    async with AsyncExitStack() as stack:
        keys: KeySource = NoKeySet()
        if settings.jwks_file is not None:
            keys = FileKeySet(settings.jwks_file)
        elif settings.jwks_url is not None:
            keys = await stack.enter_async_context(
                open_issuer_keys(str(settings.jwks_url), outage=metrics.outage("keys", "the issuer of keys"))
            )
        secret_file = settings.jwt_secret_file
        secret = read_secret(secret_file, SIGNING_KEY_BYTES) if secret_file is not None else None
        yield TokenVerifier(keys, settings.jwt_issuer, settings.jwt_audience, metrics, secret=secret)


@asynccontextmanager
async def open_parts(settings: Settings, lifecycle: Lifecycle) -> AsyncIterator[Parts]:
    """Neither the database nor Triton has to be there yet; keys and folders must."""
    async with AsyncExitStack() as stack:
        tracing = await stack.enter_async_context(open_tracing(settings))
        metrics = Metrics(tracing.tracer)
        await stack.enter_async_context(open_exposition(metrics, settings.metrics_host, settings.metrics_port))
        verifier = await stack.enter_async_context(open_verifier(settings, metrics))
        database_url = settings.database_url.get_secret_value()
        database = await stack.enter_async_context(
            open_database(database_url, metrics.outage("database", "PostgreSQL"))
        )
        listen_url = (settings.database_listen_url or settings.database_url).get_secret_value()
        announcements = await stack.enter_async_context(open_announcements(listen_url, database))
        limit = RateLimit.per_minute(settings.rate_limit_burst, settings.rate_limit_per_minute)
        inference = await stack.enter_async_context(open_inference(settings, metrics))
        storage = await stack.enter_async_context(open_storage(settings))
        photos = WatchedStorage(storage, metrics.outage("storage", "the storage of photos"))
        tickets = UserRate(settings.rate_limit_burst * MAX_IMAGES, settings.rate_limit_per_minute * MAX_IMAGES)
        uploads = UploadService(photos, metrics, tickets)
        if settings.cleanup_seconds > 0:
            retention_seconds = settings.storage_retention_hours * 3600
            rows = PostgresExpiredRows(database)
            cleanup = CleanupService(rows, photos, metrics, settings.cleanup_seconds, retention_seconds)
            await stack.enter_async_context(cleaning(cleanup))
        diagnoser = inference.diagnoser
        cards = RepositoryCards(settings.model_repository)
        if settings.canary_version is not None:
            cards.warn_unless_named(settings.canary_version, "FROND_CANARY_VERSION")
            trial = CanaryTrial(settings.canary_version, settings.canary_share, PostgresTrials(database), metrics)
            diagnoser = CanaryDiagnoser(diagnoser, await stack.enter_async_context(running(trial)))
        window = await stack.enter_async_context(open_window(lambda: read(metrics)))
        probes: dict[str, Probe] = {
            "database": DatabaseProbe(database),
            "triton": inference,
            "keys": verifier,
            "storage": photos,
        }
        readiness = ReadinessService(lifecycle, probes)
        limits = PostgresLimits(database, limit)
        parts = Parts(
            verifier=verifier,
            unauthenticated=UnauthenticatedCap(settings.unauthenticated_per_second, metrics.unauthenticated_refused),
            diagnoses=DiagnosisService(PostgresStore(database, limit), announcements, uploads, diagnoser, metrics),
            uploads=uploads,
            storage=storage,
            readiness=readiness,
            protocol=ProtocolService(inference.promoted, limits, readiness, settings.protocol_models, metrics),
            status=StatusService(window, inference),
            telemetry=TelemetryService(metrics, UserRate(BURST, PER_MINUTE)),
            cards=cards,
            memory=Memory(settings.max_held_bytes, metrics.held_bytes),
            metrics=metrics,
            tracing=tracing,
        )
        await stack.enter_async_context(
            open_grpc(settings.host, settings.grpc_port, settings.max_connections, dict(parts))
        )
        yield parts


def create_app(settings: Settings, lifecycle: Lifecycle | None = None, open_parts: OpenParts = open_parts) -> FastAPI:
    """Around the routes, from the outside: Edge, CORS, LastResort, Identification, the handlers that render errors."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[Parts]:
        async with open_parts(settings, lifecycle or Lifecycle()) as parts:
            yield parts

    app = FastAPI(
        title="Frond",
        version="1",
        description="Diagnosis of leaf photos within the caller's deadline.",
        lifespan=lifespan,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    # /docs with its scripts from here: FastAPI's own loads them from elsewhere.
    patch_fastapi(app, redirect_from_root_to_docs=False)
    # Each around the one before it.
    app.add_middleware(Identification, signed_under=STORAGE_PATH if settings.storage is Storage.LOCAL else None)
    app.add_middleware(edge.LastResort)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins)
    app.add_middleware(edge.Edge, is_https=settings.public_url.scheme == "https")
    envelope.install(app)
    openapi.install(app)
    for router in (
        diagnoses_router,
        uploads_router,
        telemetry_router,
        health_router,
        protocol_router,
        status_router,
        card_router,
        console.create_router(),
    ):
        app.include_router(router)
    if settings.storage is Storage.LOCAL:
        app.include_router(local_storage_router)
    return app
