"""The gateway's configuration: one frozen object, read from the environment in one place."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AnyHttpUrl,
    BeforeValidator,
    DirectoryPath,
    Field,
    FilePath,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gateway.memory import MAX_REQUEST_BYTES


def split_at_commas(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:\[\]-]+:\d{1,5}$")]
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.-]+(:\d{1,5})?$")]
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}$")]
Addresses = Annotated[tuple[Address, ...], NoDecode, BeforeValidator(split_at_commas)]
Origins = Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(split_at_commas)]
ModelNames = Annotated[tuple[ModelName, ...], NoDecode, BeforeValidator(split_at_commas)]


def variable(name: str) -> str:
    """The environment's name of a setting."""
    return f"FROND_{name.upper()}"


def reason(error: Exception) -> str:
    """What an operator reads: of settings, all that is wrong, by the names that he gave them; never a value."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(told(tuple(map(str, each["loc"])), each["type"], each["msg"]) for each in error.errors())


def told(place: tuple[str, ...], kind: str, message: str) -> str:
    """`place` is empty where settings do not fit together; they are named in the message then."""
    words = "not set" if kind == "missing" else message.removeprefix("Value error, ")
    return f"{variable(place[0])}: {words}" if place else words


class Storage(StrEnum):
    """Where uploaded photos lie."""

    LOCAL = "local"
    S3 = "s3"
    SUPABASE = "supabase"


# The settings that each storage needs.
STORAGE_NEEDS = {
    Storage.LOCAL: ("storage_dir", "storage_signing_key_file"),
    Storage.S3: ("s3_endpoint", "s3_bucket", "s3_access_key_id_file", "s3_secret_access_key_file"),
    Storage.SUPABASE: ("supabase_url", "supabase_bucket", "supabase_service_key_file"),
}


class Settings(BaseSettings):
    """Each setting is `FROND_` and the name in capitals. Secrets have no default and are named by their files."""

    model_config = SettingsConfigDict(env_prefix="FROND_", extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0: a free one")
    metrics_host: str = Field("127.0.0.1", description="address of Prometheus metrics, which are not for the public")
    metrics_port: int | None = Field(None, ge=0, le=65535, description="port of `/metrics`; 0: a free one; unset: none")
    grpc_port: int | None = Field(
        None, ge=0, le=65535, description="port of the Open Inference Protocol over gRPC; 0: a free one; unset: none"
    )
    protocol_models: ModelNames = Field(
        ("diagnose",), description="models of Triton that users may call with tensors, separated by commas"
    )
    public_url: AnyHttpUrl = Field(description="where clients reach this service; its own signed URLs begin with it")
    cors_origins: Origins = Field((), description="web origins that may call from a browser, separated by commas")
    max_connections: int = Field(
        1000,
        ge=10,
        description="connections of clients at once; one more takes the place of one without a request, or is refused",
    )

    database_url: SecretStr = Field(description="PostgreSQL, as the login role frond_gateway")
    database_url_file: FilePath | None = Field(None, description="file that holds the URL; instead of it")
    database_listen_url: SecretStr | None = Field(
        None, description="the same past a pooler that passes no announcements on; unset: the same"
    )
    database_listen_url_file: FilePath | None = Field(None, description="file that holds that URL; instead of it")

    triton_grpc: Addresses = Field(
        ("127.0.0.1:8001",),
        min_length=1,
        description="host:port of Triton's gRPC service, separated by commas; a name stands for all its addresses",
    )
    degraded_version: str | None = Field(
        None, min_length=1, description="release that answers while the promoted one is out; unset: none does"
    )
    degraded_triton_grpc: Addresses = Field(
        (), description="Triton of the degraded release, like `triton_grpc`; unset: the same"
    )

    canary_version: str | None = Field(
        None, min_length=1, max_length=200, description="release that is tried on a share of the photos; unset: none is"
    )
    canary_share: float = Field(
        0.05, gt=0, le=0.5, description="that share; a canary that does worse gets none, whatever stands here"
    )

    model_repository: DirectoryPath | None = Field(
        None, description="folder of the model repository, only read: for the card of the served model; unset: no card"
    )

    jwks_file: FilePath | None = Field(
        None, description="the issuer's public keys (RFC 7517); read again when it changes"
    )
    jwks_url: AnyHttpUrl | None = Field(None, description="the same, fetched from the issuer")
    jwt_secret_file: FilePath | None = Field(
        None, description="secret of HS256 tokens, at least 32 bytes; unset: HS256 is refused"
    )
    jwt_issuer: str = Field(min_length=1, description="what `iss` of a token must be")
    jwt_audience: str = Field(min_length=1, description="what `aud` of a token must contain")

    rate_limit_burst: int = Field(30, ge=1, le=100_000, description="new requests of a user at once")
    rate_limit_per_minute: float = Field(60, gt=0, le=1_000_000, description="new requests of a user in the long run")
    unauthenticated_per_second: float = Field(
        50, gt=0, description="requests without a valid token that this process answers; beyond it: 429"
    )

    storage: Storage = Field(Storage.LOCAL, description="local, s3 or supabase")
    storage_retention_hours: float = Field(24, ge=2, description="uploaded photos older than this are removed")
    storage_allow_private_addresses: bool = Field(
        default=False, description="whether the storage may have a private or loopback address"
    )
    storage_dir: DirectoryPath | None = Field(None, description="local: folder of uploaded photos")
    storage_signing_key_file: FilePath | None = Field(
        None, description="local: secret of the signed URLs, at least 32 bytes"
    )
    s3_endpoint: AnyHttpUrl | None = Field(None, description="s3: URL of the service, as clients reach it too")
    s3_region: str = Field("us-east-1", min_length=1, description="s3: region that signatures name")
    s3_bucket: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="s3: bucket")
    s3_access_key_id_file: FilePath | None = Field(None, description="s3: id of the access key")
    s3_secret_access_key_file: FilePath | None = Field(None, description="s3: secret of the access key")
    supabase_url: AnyHttpUrl | None = Field(None, description="supabase: URL of the project")
    supabase_bucket: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]+$", description="supabase: private bucket")
    supabase_service_key_file: FilePath | None = Field(None, description="supabase: the project's secret key")

    cleanup_seconds: float = Field(
        60, ge=0, description="how often expired keys and photos are removed, by one replica at a time; 0: never here"
    )
    otlp_endpoint: AnyHttpUrl | None = Field(None, description="collector of traces (OTLP over HTTP); unset: no traces")
    trace_sample_ratio: float = Field(0.1, ge=0, le=1, description="share of the traces that are kept")
    max_held_bytes: int = Field(
        512 * 1024 * 1024,
        ge=MAX_REQUEST_BYTES,
        description="bytes of request bodies and photos in this process at once; at worst it takes three times that",
    )
    drain_seconds: float = Field(
        1.0,
        ge=0,
        le=60,
        description="after SIGTERM, how long to serve on while load balancers see that it is not ready",
    )

    @model_validator(mode="before")
    @classmethod
    def read_database_urls(cls, values: dict[str, Any]) -> dict[str, Any]:
        return with_content_of_file(with_content_of_file(values, "database_url"), "database_listen_url")

    @model_validator(mode="after")
    def require_keys(self) -> Self:
        if self.jwks_file is not None and self.jwks_url is not None:
            raise ValueError("FROND_JWKS_FILE and FROND_JWKS_URL are both set; one of them holds the issuer's keys")
        if self.jwks_file is None and self.jwks_url is None and self.jwt_secret_file is None:
            raise ValueError("one of FROND_JWKS_FILE, FROND_JWKS_URL and FROND_JWT_SECRET_FILE must be set")
        return self

    @model_validator(mode="after")
    def require_storage(self) -> Self:
        missing = [name for name in STORAGE_NEEDS[self.storage] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"FROND_STORAGE={self.storage} needs {', '.join(map(variable, missing))}")
        return self


class MigrationSettings(BaseSettings):
    """What `python -m gateway.migrate` needs."""

    model_config = SettingsConfigDict(env_prefix="FROND_", extra="forbid", frozen=True, hide_input_in_errors=True)

    migration_database_url: SecretStr = Field(description="PostgreSQL, as the role that shall own the tables")
    migration_database_url_file: FilePath | None = Field(None, description="file that holds the URL; instead of it")

    @model_validator(mode="before")
    @classmethod
    def read_database_url(cls, values: dict[str, Any]) -> dict[str, Any]:
        return with_content_of_file(values, "migration_database_url")


def with_content_of_file(values: dict[str, Any], name: str) -> dict[str, Any]:
    """The secret `name` from the file that `name`_file names, if one does. Raises ValueError when both are given."""
    file = values.get(f"{name}_file")
    if file is None:
        return values
    if name in values:
        raise ValueError(f"{variable(name)} and {variable(name)}_FILE are both set; one of them holds the secret")
    try:
        return {**values, name: Path(file).read_text().strip()}
    except OSError as error:
        raise ValueError(f"{variable(name)}_FILE cannot be read: {error.strerror}") from error


class RepositorySettings(BaseSettings):
    """What `python -m gateway.repository` needs."""

    model_config = SettingsConfigDict(env_prefix="FROND_", extra="forbid", frozen=True, hide_input_in_errors=True)

    models_url: AnyHttpUrl = Field(
        description="S3 URL of the repository's folder, path-style: its `SHA256SUMS` lies there"
    )
    models_sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="SHA-256 of that list, which names every file's: exactly one repository"
    )
    models_region: str = Field("us-east-1", min_length=1, description="region that signatures name")
    models_folder: DirectoryPath = Field(description="where to put it")
    models_access_key_id_file: FilePath = Field(description="id of an access key that may read it")
    models_secret_access_key_file: FilePath = Field(description="secret of that access key")


class SecretError(ValueError):
    """The file of a secret holds none; the message names the file."""


def read_secret(path: Path, min_bytes: int) -> bytes:
    """The content of a secret's file, less the line end. Raises `SecretError` when it is too short to be one."""
    secret = path.read_bytes().strip()
    if len(secret) < min_bytes:
        raise SecretError(f"{path} holds {len(secret)} bytes; a secret has at least {min_bytes}.")
    return secret
