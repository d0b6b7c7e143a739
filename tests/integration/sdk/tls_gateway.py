"""The gateway behind TLS, with HTTP/2 offered (ALPN, RFC 7301) or not."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypercorn.asyncio import serve
from hypercorn.config import Config

from gateway.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from gateway.app import OpenParts
    from gateway.settings import Settings


def write_certificate(folder: Path) -> Path:
    """Key and certificate of 127.0.0.1 in one file, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Frond's tests")]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@dataclass
class TlsGateway:
    """What came in: the versions of HTTP, and from which connections."""

    port: int
    certificate: Path
    versions: set[str] = field(default_factory=set)
    connections: set[tuple[str, int]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)

    def noting(self, app: Any) -> Any:
        async def call(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                self.versions.add(scope["http_version"])
                self.connections.add(tuple(scope["client"]))
            await app(scope, receive, send)

        return call


@asynccontextmanager
async def tls_gateway(
    folder: Path, settings_with: Callable[[str], Settings], parts: OpenParts, protocols: list[str]
) -> AsyncIterator[TlsGateway]:
    """`settings_with` is given the gateway's URL; `protocols` as ALPN names them."""
    listener = socket.create_server(("127.0.0.1", 0))
    gateway = TlsGateway(listener.getsockname()[1], write_certificate(folder))
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.certfile = config.keyfile = str(gateway.certificate)
    config.alpn_protocols = protocols
    config.accesslog = config.errorlog = None
    config.graceful_timeout = 0.1
    is_over = asyncio.Event()
    app = gateway.noting(create_app(settings_with(gateway.url), open_parts=parts))
    task = asyncio.create_task(serve(app, config, shutdown_trigger=is_over.wait))
    try:
        yield gateway
    finally:
        is_over.set()
        await task
