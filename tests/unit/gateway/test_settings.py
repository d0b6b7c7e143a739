"""What the gateway is configured by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from gateway.settings import MigrationSettings, Settings, read_secret
from tests.gateways import SigningKey, settings_in

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields | MigrationSettings.model_fields:
        monkeypatch.delenv(f"FROND_{name.upper()}", raising=False)


def test_the_environment_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = settings_in(tmp_path, SigningKey(), port=8181)
    for name, value in wanted:
        text = value.get_secret_value() if name == "database_url" else str(value)
        monkeypatch.setenv(f"FROND_{name.upper()}", text)
    assert Settings() == wanted


def test_no_secret_has_a_default() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings()
    missing = {str(error["loc"][0]) for error in raised.value.errors()}
    assert {"database_url", "jwks_file", "storage_signing_key_file", "jwt_issuer", "jwt_audience"} <= missing


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
