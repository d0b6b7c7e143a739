"""The gateway with each source of keys that settings can name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jwt

from tests.fake_issuer import open_issuer
from tests.gateways import FakeDiagnoser, Gateway, SigningKey, claims_of, parts_with, serve, settings_in

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "a legacy secret of more than 32 bytes"


async def status_of(gateway: Gateway, token: str) -> int:
    """Past the token, a request without a body is 415."""
    response = await gateway.client.post("/v1/uploads", headers={"Authorization": f"Bearer {token}"})
    return response.status_code


async def test_keys_come_from_the_issuer_s_url(tmp_path: Path) -> None:
    key = SigningKey()
    async with open_issuer(key) as issuer:
        settings = settings_in(tmp_path, key, jwks_file=None, jwks_url=issuer.url)
        async with serve(settings, parts_with(FakeDiagnoser())) as client:
            gateway = Gateway(client, key, settings)
            assert await status_of(gateway, key.token()) == 415
            assert await status_of(gateway, SigningKey("another").token()) == 401


async def test_a_secret_and_keys_serve_side_by_side(tmp_path: Path) -> None:
    key = SigningKey()
    (tmp_path / "jwt-secret").write_text(SECRET + "\n")
    settings = settings_in(tmp_path, key, jwt_secret_file=tmp_path / "jwt-secret")
    async with serve(settings, parts_with(FakeDiagnoser())) as client:
        gateway = Gateway(client, key, settings)
        assert await status_of(gateway, key.token()) == 415
        assert await status_of(gateway, jwt.encode(claims_of(), SECRET, "HS256")) == 415
        assert await status_of(gateway, jwt.encode(claims_of(), SECRET[::-1], "HS256")) == 401


async def test_a_secret_serves_alone(tmp_path: Path) -> None:
    key = SigningKey()
    (tmp_path / "jwt-secret").write_text(SECRET)
    settings = settings_in(tmp_path, key, jwks_file=None, jwt_secret_file=tmp_path / "jwt-secret")
    async with serve(settings, parts_with(FakeDiagnoser())) as client:
        gateway = Gateway(client, key, settings)
        assert await status_of(gateway, jwt.encode(claims_of(), SECRET, "HS256")) == 415
        assert await status_of(gateway, key.token()) == 401
