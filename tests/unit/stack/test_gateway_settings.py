"""How the local gateway is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stack.paths import StatePaths
from stack.service import GatewayPart

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Of the gateway's process, under an environment of somebody who tries settings."""
    monkeypatch.setenv("FROND_RATE_LIMIT_BURST", "5")
    monkeypatch.setenv("FROND_DATABASE_URL", "postgresql://elsewhere/db")
    monkeypatch.setenv("OTHER", "1")
    return GatewayPart(StatePaths(tmp_path), 1, 2, "postgresql://here/db", "127.0.0.1:3").command().full_env()


def test_a_setting_in_the_environment_reaches_the_local_gateway(environment: dict[str, str]) -> None:
    assert environment["FROND_RATE_LIMIT_BURST"] == "5"
    assert environment["FROND_RATE_LIMIT_PER_MINUTE"] == "1000000"
    assert "OTHER" not in environment


def test_the_port_of_the_protocol_is_known_where_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grpc_of(wanted: str | None) -> tuple[str | None, str | None]:
        if wanted is not None:
            monkeypatch.setenv("FROND_GRPC_PORT", wanted)
        part = GatewayPart(StatePaths(tmp_path), 1, 2, "postgresql://here/db", "127.0.0.1:3")
        return part.grpc, part.command().full_env().get("FROND_GRPC_PORT")

    assert grpc_of(None) == (None, None)
    assert grpc_of("8002") == ("127.0.0.1:8002", "8002")
    address, port = grpc_of("0")
    assert address == f"127.0.0.1:{port}"
    assert int(port or 0) > 0


def test_the_addresses_of_its_own_parts_stay(environment: dict[str, str]) -> None:
    assert environment["FROND_DATABASE_URL"] == "postgresql://here/db"
