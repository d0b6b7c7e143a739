"""The one place that knows every part: what is opened at the start, and which routes and layers serve it."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, TypedDict

from fastapi import FastAPI
from fastapi_swagger import patch_fastapi

from gateway import edge, envelope, openapi
from gateway.auth.keys import FileKeySet
from gateway.auth.service import TokenVerifier
from gateway.database import open_database
from gateway.diagnoses.routes import router as diagnoses_router
from gateway.diagnoses.service import DiagnosisService
from gateway.diagnoses.store import PostgresStore
from gateway.diagnoses.triton import TritonDiagnoser, open_channel
from gateway.health.routes import router as health_router
from gateway.health.service import Lifecycle, ReadinessService
from gateway.health.store import DatabaseProbe
from gateway.health.triton import InferenceProbe
from gateway.memory import Memory
from gateway.settings import read_secret
from gateway.uploads.routes import router as uploads_router
from gateway.uploads.service import UploadService
from gateway.uploads.signing import UrlSigner
from gateway.uploads.storage import LocalStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from gateway.health.protocols import Probe
    from gateway.settings import Settings

    OpenParts = Callable[[Settings, Lifecycle], AbstractAsyncContextManager["Parts"]]

SIGNING_KEY_BYTES = 32  # as long as the hash (RFC 2104, section 3)


class Parts(TypedDict):
    """What routes find in `request.state`."""

    verifier: TokenVerifier
    diagnoses: DiagnosisService
    uploads: UploadService
    readiness: ReadinessService
    memory: Memory


@asynccontextmanager
async def open_parts(settings: Settings, lifecycle: Lifecycle) -> AsyncIterator[Parts]:
    """Neither the database nor Triton has to be there yet; keys and folders must."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.database_url.get_secret_value()))
        diagnoser = TritonDiagnoser(await stack.enter_async_context(open_channel(settings.triton_grpc)))
        signer = UrlSigner(read_secret(settings.storage_signing_key_file, SIGNING_KEY_BYTES))
        uploads = UploadService(LocalStorage(settings.storage_dir), signer, str(settings.public_url))
        probes: dict[str, Probe] = {"database": DatabaseProbe(database), "triton": InferenceProbe(diagnoser)}
        yield Parts(
            verifier=TokenVerifier(FileKeySet(settings.jwks_file), settings.jwt_issuer, settings.jwt_audience),
            diagnoses=DiagnosisService(PostgresStore(database), uploads, diagnoser),
            uploads=uploads,
            readiness=ReadinessService(lifecycle, probes),
            memory=Memory(settings.max_held_bytes),
        )


def create_app(settings: Settings, lifecycle: Lifecycle | None = None, open_parts: OpenParts = open_parts) -> FastAPI:
    """Around the routes, from the outside: Edge, then the handlers that render errors."""

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
    patch_fastapi(app)  # /docs with its scripts from here: FastAPI's own loads them from elsewhere
    app.add_middleware(edge.Edge)
    envelope.install(app)
    openapi.install(app)
    for router in (diagnoses_router, uploads_router, health_router):
        app.include_router(router)
    return app
