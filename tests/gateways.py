"""Gateways for tests: keys and tokens, a diagnoser without Triton, and the real application on a real port."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import struct
import time
import uuid
import zlib
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.announcements import open_announcements
from gateway.app import Parts, create_app, open_verifier
from gateway.app import open_parts as open_real_parts
from gateway.card.store import RepositoryCards
from gateway.connection import Connection
from gateway.database import open_database
from gateway.diagnoses.protocols import ModelAnswer
from gateway.diagnoses.service import DiagnosisService
from gateway.diagnoses.store import PostgresStore, RateLimit
from gateway.errors import TritonUnavailableError
from gateway.health.service import Lifecycle, ReadinessService
from gateway.memory import Memory
from gateway.metrics import Metrics
from gateway.protocol.service import ProtocolService
from gateway.protocol.store import PostgresLimits
from gateway.rates import UserRate
from gateway.settings import Settings
from gateway.status.service import StatusService
from gateway.status.window import Window, read
from gateway.telemetry.service import BURST, PER_MINUTE, TelemetryService
from gateway.tracing import open_tracing
from gateway.unauthenticated import UnauthenticatedCap
from gateway.uploads.backends import open_storage
from gateway.uploads.protocols import ObjectPath
from gateway.uploads.service import UploadService
from gateway.uploads.signing import Grant, Method, UrlSigner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from gateway.app import OpenParts
    from gateway.deadline import Deadline
    from gateway.diagnoses.protocols import Diagnoser, IdempotencyStore
    from gateway.errors import ServerError
    from gateway.health.protocols import Probe
    from gateway.inference.calls import Call
    from gateway.status.protocols import ServerCondition

ISSUER = "https://issuer.test"
AUDIENCE = "authenticated"
ALICE = uuid.UUID("a11ce000-0000-4000-8000-000000000001")
BOB = uuid.UUID("b0b00000-0000-4000-8000-000000000002")
NOWHERE = "postgresql://frond_gateway:x@127.0.0.1:1/nowhere"
PATH = "/v1/ai-inference"


@dataclass(frozen=True)
class SigningKey:
    """An ES256 key of the issuer."""

    key_id: str = "first"
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def jwk(self) -> dict[str, Any]:
        public: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.key_id, "use": "sig", "alg": "ES256"}

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        return jwt.encode(claims, self.private, "ES256", {"kid": self.key_id, **headers})

    def token(self, user: uuid.UUID = ALICE, **changes: Any) -> str:
        return self.sign(claims_of(user, **changes))


def claims_of(user: uuid.UUID = ALICE, **changes: Any) -> dict[str, Any]:
    """Those of a good token; a change to None leaves a claim out, a timedelta is a time from now."""
    now = int(time.time())
    claims = {"sub": str(user), "iss": ISSUER, "aud": AUDIENCE, "role": "authenticated", "iat": now, "exp": now + 600}
    claims |= {
        name: now + int(value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in changes.items()
    }
    return {name: value for name, value in claims.items() if value is not None}


def write_keys(path: Path, *keys: SigningKey) -> Path:
    path.write_text(json.dumps({"keys": [key.jwk() for key in keys]}))
    return path


def settings_in(folder: Path, key: SigningKey, **changes: Any) -> Settings:
    """Settings whose files lie in a folder of the test."""
    (folder / "storage").mkdir(exist_ok=True)
    (folder / "signing-key").write_bytes(secrets.token_hex(32).encode())
    return Settings.model_validate(
        {
            "port": 0,
            "public_url": "http://photos.test",
            "database_url": NOWHERE,
            "triton_grpc": "127.0.0.1:1",
            "jwks_file": write_keys(folder / "jwks.json", key),
            "jwt_issuer": ISSUER,
            "jwt_audience": AUDIENCE,
            "storage_dir": folder / "storage",
            "storage_signing_key_file": folder / "signing-key",
            # Tests ask more often than a person does.
            "rate_limit_burst": 100_000,
            "rate_limit_per_minute": 1_000_000,
        }
        | changes
    )


def png(shade: int = 0, side: int = 16, metadata: bytes = b"") -> bytes:
    """A small valid PNG; another one for each shade."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), (b"tEXt", b"note\x00" + metadata)]
    chunks += [(b"IDAT", zlib.compress((b"\x00" + bytes([shade]) * side) * side)), (b"IEND", b"")]
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


DETAILS = {"assessmentId": "assessment-456", "plantContext": {"id": "plant-123", "species": "Solanum lycopersicum"}}


def form(*photos: bytes, details: dict[str, Any] | str | None = None, **changes: Any) -> list[tuple[str, Any]]:
    """The multipart form, for httpx2's `files`."""
    content = details if isinstance(details, str) else json.dumps((details or DETAILS) | changes)
    files = [("images", (f"{index}", photo, type_of(photo))) for index, photo in enumerate(photos)]
    return [("request", (None, content, "application/json")), *files]


def type_of(photo: bytes) -> str:
    return "image/jpeg" if photo.startswith(b"\xff\xd8") else "image/png"


def photo_answer(photos: Sequence[bytes]) -> dict[str, Any]:
    """What `diagnose` answers, with the same prediction for each."""
    opinion = {
        "predictions": [
            {
                "label": "Tomato___Late_blight",
                "crop": "Tomato",
                "condition": "Late blight",
                "healthy": False,
                "confidence": 0.93,
            }
        ],
        "abstained": False,
        "abstainReason": None,
    }
    return {
        **opinion,
        "images": [{**opinion, "error": None} for _ in photos],
        "model": {"name": "classifier", "version": "1", "temperature": 1.31, "calibrationError": 0.011},
        "timingMs": {"decode": 2.0, "infer": 6.0},
    }


class FakeDiagnoser:
    """Stands in for Triton: answers from memory, notes what it was asked, and waits or fails when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, str | None]] = []  # photos, top_k, version
        self.error: Exception | None = None
        self.refusal: ServerError | None = None  # of `admit`
        self.content: bytes | None = None
        self.gate: asyncio.Event | None = None
        self.waiting = asyncio.Event()
        self.was_cancelled = False

    def admit(self, version: str | None, deadline: Deadline) -> None:  # noqa: ARG002
        if self.refusal is not None:
            raise self.refusal

    async def diagnose(
        self,
        photos: Sequence[bytes],
        top_k: int,
        version: str | None,
        request_id: str,  # noqa: ARG002
        deadline: Deadline,  # noqa: ARG002
    ) -> ModelAnswer:
        self.asked.append((len(photos), top_k, version))
        self.waiting.set()
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if self.error is not None:
            raise self.error
        return ModelAnswer(self.content or json.dumps(photo_answer(photos)).encode(), 0.012)


class NoTriton:
    """For the protocol's slice: nobody answers."""

    async def ask(self, call: Call, deadline: Deadline) -> bytes:  # noqa: ARG002
        raise TritonUnavailableError("The model cannot be reached. Try again.")


class NoServers:
    """No Triton at all."""

    async def conditions(self) -> list[ServerCondition]:
        return []


def plenty() -> UserRate:
    """As many of them as a test asks for."""
    return UserRate(1_000_000, 1_000_000)


def parts_with(diagnoser: Diagnoser, store: IdempotencyStore | None = None, **probes: Probe) -> OpenParts:
    """All parts real but the diagnoser and, where one is given, the store."""

    @asynccontextmanager
    async def open_parts(settings: Settings, lifecycle: Lifecycle) -> AsyncIterator[Parts]:
        async with AsyncExitStack() as stack:
            tracing = await stack.enter_async_context(open_tracing(settings))
            metrics = Metrics(tracing.tracer)
            verifier = await stack.enter_async_context(open_verifier(settings, metrics))
            database = await stack.enter_async_context(open_database(settings.database_url.get_secret_value()))
            listen_url = (settings.database_listen_url or settings.database_url).get_secret_value()
            announcements = await stack.enter_async_context(open_announcements(listen_url, database))
            limit = RateLimit.per_minute(settings.rate_limit_burst, settings.rate_limit_per_minute)
            storage = await stack.enter_async_context(open_storage(settings))
            uploads = UploadService(storage, metrics, plenty())
            yield Parts(
                verifier=verifier,
                unauthenticated=UnauthenticatedCap(
                    settings.unauthenticated_per_second, metrics.unauthenticated_refused
                ),
                diagnoses=DiagnosisService(
                    store or PostgresStore(database, limit), announcements, uploads, diagnoser, metrics
                ),
                uploads=uploads,
                storage=storage,
                readiness=(readiness := ReadinessService(lifecycle, probes)),
                protocol=ProtocolService(
                    NoTriton(), PostgresLimits(database, limit), readiness, settings.protocol_models, metrics
                ),
                status=StatusService(Window(lambda: read(metrics)), NoServers()),
                telemetry=TelemetryService(metrics, UserRate(BURST, PER_MINUTE)),
                cards=RepositoryCards(settings.model_repository),
                memory=Memory(settings.max_held_bytes, metrics.held_bytes),
                metrics=metrics,
                tracing=tracing,
            )

    return open_parts


@asynccontextmanager
async def serve(settings: Settings, open_parts: OpenParts = open_real_parts) -> AsyncIterator[httpx2.AsyncClient]:
    """The application on a free port, and a client for it."""
    app = create_app(settings, open_parts=open_parts)
    config = uvicorn.Config(
        app,
        port=0,
        http=Connection,
        log_config=None,
        access_log=False,
        ws="none",
        server_header=False,
        limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=5,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # What `server.serve` does, less its signal handlers, which are pytest's, and its clock, which ticks every 0.1 s.
    await server.startup()
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            yield client
    finally:
        await server.shutdown()


@dataclass(frozen=True)
class Gateway:
    """A running gateway as Alice's app sees it."""

    client: httpx2.AsyncClient
    key: SigningKey
    settings: Settings

    @property
    def storage_dir(self) -> Path:
        assert self.settings.storage_dir is not None
        return self.settings.storage_dir

    def headers(self, user: uuid.UUID = ALICE, idempotency_key: str | None = None) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.key.token(user)}",
            "Idempotency-Key": idempotency_key or str(uuid.uuid4()),
        }

    async def diagnose(
        self, *photos: bytes, user: uuid.UUID = ALICE, key: str | None = None, **changes: Any
    ) -> httpx2.Response:
        return await self.client.post(PATH, files=form(*photos, **changes), headers=self.headers(user, key))

    async def ask_for_urls(self, photo: bytes, user: uuid.UUID = ALICE, **changes: Any) -> httpx2.Response:
        asked = {"sha256": sha256(photo), "contentType": "image/png", "bytes": len(photo)} | changes
        return await self.client.post("/v1/uploads", json=asked, headers=self.headers(user))

    async def put(self, ticket: dict[str, Any], photo: bytes, **headers: str) -> httpx2.Response:
        """To the URL's path here: its host is the public one."""
        path = ticket["uploadUrl"].removeprefix("http://photos.test")
        return await self.client.put(path, content=photo, headers=ticket["uploadHeaders"] | headers)

    async def upload(self, photo: bytes, user: uuid.UUID = ALICE) -> dict[str, Any]:
        """The ticket of a photo that is uploaded."""
        ticket: dict[str, Any] = (await self.ask_for_urls(photo, user)).json()["result"]
        assert (await self.put(ticket, photo)).status_code == 204
        return ticket

    async def diagnose_urls(
        self, *photos: tuple[bytes, str], user: uuid.UUID = ALICE, key: str | None = None, **image: Any
    ) -> httpx2.Response:
        """The JSON form; `image` changes what is said of each photo."""
        images = [
            {"url": url, "sha256": sha256(photo), "contentType": "image/png", "bytes": len(photo)} | image
            for photo, url in photos
        ]
        return await self.client.post(PATH, json=DETAILS | {"images": images}, headers=self.headers(user, key))

    def signed_url(self, photo: bytes, user: uuid.UUID = ALICE, seconds: int = 60, method: Method = "GET") -> str:
        """As the gateway would sign it."""
        path = ObjectPath(user, sha256(photo), "image/png")
        assert self.settings.storage_signing_key_file is not None
        signer = UrlSigner(self.settings.storage_signing_key_file.read_bytes())
        query = signer.query(Grant.for_seconds(method, path, len(photo), seconds))
        return f"http://photos.test/v1/storage/{path}?{query}"
