"""What the gateway is configured by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr, ValidationError

from gateway.settings import MigrationSettings, RepositorySettings, Settings, read_secret, reason
from tests.gateways import SigningKey, settings_in

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_settings import BaseSettings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields | MigrationSettings.model_fields | RepositorySettings.model_fields:
        monkeypatch.delenv(f"FROND_{name.upper()}", raising=False)


def test_the_environment_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = settings_in(tmp_path, SigningKey(), port=8181, triton_grpc=["one:8001", "two:8001"])
    for name, value in wanted:
        if value is not None:
            monkeypatch.setenv(f"FROND_{name.upper()}", as_text(value))
    assert Settings() == wanted


def as_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def test_what_cannot_be_guessed_must_be_given() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings()
    missing = {str(error["loc"][0]) for error in raised.value.errors()}
    assert missing == {"public_url", "database_url", "jwt_issuer", "jwt_audience"}


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        (MigrationSettings, {}, "FROND_MIGRATION_DATABASE_URL: not set"),
        (
            RepositorySettings,
            {"FROND_MODELS_URL": "ftp://bucket/"},
            (
                "FROND_MODELS_URL: URL scheme should be 'http' or 'https'; FROND_MODELS_SHA256: not set; "
                "FROND_MODELS_FOLDER: not set; FROND_MODELS_ACCESS_KEY_ID_FILE: not set; "
                "FROND_MODELS_SECRET_ACCESS_KEY_FILE: not set"
            ),
        ),
        (
            MigrationSettings,
            {"FROND_MIGRATION_DATABASE_URL_FILE": "/nowhere"},
            "FROND_MIGRATION_DATABASE_URL_FILE cannot be read: No such file or directory",
        ),
    ],
)
def test_an_operator_reads_the_names_of_variables_and_nothing_of_the_library(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseSettings], given: dict[str, str], told: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as raised:
        kind()
    assert reason(raised.value) == told


def test_other_errors_are_told_in_their_own_words() -> None:
    assert reason(OSError("no room")) == "no room"


def test_no_secret_has_a_default() -> None:
    secrets = [name for name in Settings.model_fields if "key" in name or "secret" in name or "jwks" in name]
    assert secrets
    assert not [name for name in secrets if Settings.model_fields[name].default is not None]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"jwks_file": None}, "one of FROND_JWKS_FILE, FROND_JWKS_URL and FROND_JWT_SECRET_FILE"),
        ({"jwks_url": "https://issuer.test/jwks.json"}, "both set"),
        ({"storage_dir": None}, "FROND_STORAGE=local needs FROND_STORAGE_DIR"),
        (
            {"storage": "s3", "s3_bucket": "leaves"},
            "FROND_STORAGE=s3 needs FROND_S3_ENDPOINT, FROND_S3_ACCESS_KEY_ID_FILE",
        ),
        ({"storage": "supabase"}, "FROND_STORAGE=supabase needs FROND_SUPABASE_URL"),
        ({"cors_origins": "https://app.test/path"}, "cors_origins"),
        ({"triton_grpc": "no-port"}, "triton_grpc"),
        ({"triton_grpc": ""}, "triton_grpc"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(
    tmp_path: Path, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        settings_in(tmp_path, SigningKey(), **changes)


def test_a_secret_shows_neither_in_messages_nor_in_the_object(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, SigningKey(), database_url="postgresql://user:hidden@host/db")
    assert "hidden" not in repr(settings)
    with pytest.raises(ValidationError) as raised:
        settings_in(tmp_path, SigningKey(), database_url="hidden", port=-1)
    assert "hidden" not in str(raised.value)


def test_settings_cannot_be_changed_and_have_no_unknown_names(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, SigningKey())
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="prot"):
        settings_in(tmp_path, SigningKey(), prot=1)


def test_a_secret_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"short\n")
    with pytest.raises(ValueError, match="5 bytes"):
        read_secret(tmp_path / "secret", 32)


def test_the_url_of_the_database_can_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://frond_gateway:hidden@db/frond\n")
    given = {name: value for name, value in settings_in(tmp_path, SigningKey()) if name != "database_url"}
    settings = Settings.model_validate({**given, "database_url_file": file})
    assert settings.database_url.get_secret_value() == "postgresql://frond_gateway:hidden@db/frond"
    assert "hidden" not in repr(settings)


def test_the_url_to_listen_at_can_lie_in_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://frond_gateway:hidden@db/frond\n")
    settings = settings_in(tmp_path, SigningKey(), database_listen_url_file=tmp_path / "url")
    assert settings.database_listen_url is not None
    assert settings.database_listen_url.get_secret_value() == "postgresql://frond_gateway:hidden@db/frond"
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [({"database_url": "postgresql://h/d"}, "both set"), ({"database_url_file": "/nowhere"}, "cannot be read")],
)
def test_a_file_for_the_database_that_cannot_be_meant_is_refused(
    tmp_path: Path, changes: dict[str, object], complaint: str
) -> None:
    (tmp_path / "url").write_text("postgresql://h/d")
    given = {name: value for name, value in settings_in(tmp_path, SigningKey()) if name != "database_url"}
    with pytest.raises(ValidationError, match=complaint):
        Settings.model_validate({**given, "database_url_file": tmp_path / "url", **changes})
