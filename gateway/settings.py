"""The gateway's configuration: one frozen object, read from the environment in one place."""

from __future__ import annotations

from pathlib import Path

from pydantic import AnyHttpUrl, DirectoryPath, Field, FilePath, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from frond.types import MAX_IMAGE_BYTES, MAX_IMAGES


class Settings(BaseSettings):
    """Each setting is `FROND_` and the name in capitals. Secrets have no default."""

    model_config = SettingsConfigDict(env_prefix="FROND_", extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0: a free one")
    public_url: AnyHttpUrl = Field(description="where clients reach this service; signed URLs begin with it")
    database_url: SecretStr = Field(description="PostgreSQL, as the login role frond_gateway")
    triton_grpc: str = Field("127.0.0.1:8001", description="host:port of Triton's gRPC service")
    jwks_file: FilePath = Field(description="the issuer's public keys (RFC 7517); read again when it changes")
    jwt_issuer: str = Field(min_length=1, description="what `iss` of a token must be")
    jwt_audience: str = Field(min_length=1, description="what `aud` of a token must contain")
    storage_dir: DirectoryPath = Field(description="folder of uploaded photos")
    storage_signing_key_file: FilePath = Field(description="secret of the signed URLs, at least 32 bytes")
    max_held_bytes: int = Field(
        512 * 1024 * 1024,
        ge=MAX_IMAGES * MAX_IMAGE_BYTES + 1024 * 1024,
        description="bytes of request bodies and photos in this process at once; at worst it takes three times that",
    )
    drain_seconds: float = Field(
        1.0,
        ge=0,
        le=60,
        description="after SIGTERM, how long to serve on while load balancers see that it is not ready",
    )


class MigrationSettings(BaseSettings):
    """What `python -m gateway.migrate` needs."""

    model_config = SettingsConfigDict(env_prefix="FROND_", extra="forbid", frozen=True, hide_input_in_errors=True)

    migration_database_url: SecretStr = Field(description="PostgreSQL, as the role that shall own the tables")


def read_secret(path: Path, min_bytes: int) -> bytes:
    """The content of a secret's file, less the line end. Raises ValueError when it is too short to be one."""
    secret = path.read_bytes().strip()
    if len(secret) < min_bytes:
        raise ValueError(f"{path} holds {len(secret)} bytes; a secret has at least {min_bytes}.")
    return secret
