"""What the gateway is configured by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr, ValidationError

from gateway.settings import MigrationSettings, Settings, read_secret
from tests.gateways import SigningKey, settings_in

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields | MigrationSettings.model_fields:
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


def test_no_secret_has_a_default() -> None:
    secrets = [name for name in Settings.model_fields if "key" in name or "secret" in name or "jwks" in name]
    assert secrets
    assert not [name for name in secrets if Settings.model_fields[name].default is not None]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"jwks_file": None}, "one of jwks_file, jwks_url and jwt_secret_file"),
        ({"jwks_url": "https://issuer.test/jwks.json"}, "both set"),
        ({"storage_dir": None}, "storage local needs storage_dir"),
        ({"storage": "s3", "s3_bucket": "leaves"}, "storage s3 needs s3_endpoint, s3_access_key_id_file"),
        ({"storage": "supabase"}, "storage supabase needs supabase_url"),
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
