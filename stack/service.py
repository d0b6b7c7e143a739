"""The gateway as a part of the stack."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import httpx2

from stack.command import Command
from stack.database import PYTHON_ENVIRONMENT
from stack.keys import AUDIENCE, ISSUER
from stack.part import Health, Part
from stack.ports import LOOPBACK, free_ports

if TYPE_CHECKING:
    from stack.paths import StatePaths

TIMEOUT_SECONDS = 5.0
# Where the environment of `frond up` names no others.
DEFAULTS = {
    "FROND_DRAIN_SECONDS": "0",  # no load balancer needs to notice
    # One person's machine, and what measures it asks as one user.
    "FROND_RATE_LIMIT_BURST": "100000",
    "FROND_RATE_LIMIT_PER_MINUTE": "1000000",
}


def wanted_grpc_port() -> str | None:
    """As the environment of `frond up` has it; for 0 a free one, which can then be shown."""
    wanted = os.environ.get("FROND_GRPC_PORT")
    return str(free_ports(1)[0]) if wanted == "0" else wanted


class GatewayPart(Part):
    """Not ready is no reason to start it anew: then it is PostgreSQL or Triton that is out."""

    name = "gateway"
    silent_seconds = 15.0

    def __init__(self, paths: StatePaths, port: int, metrics_port: int, database_url: str, triton_grpc: str) -> None:
        grpc_port = wanted_grpc_port()
        self.address = f"{LOOPBACK}:{port}"
        self.metrics = f"{LOOPBACK}:{metrics_port}"
        self.grpc = f"{LOOPBACK}:{grpc_port}" if grpc_port else None
        self._settings = {
            **DEFAULTS,
            **{name: value for name, value in os.environ.items() if name.startswith("FROND_")},
            **({"FROND_GRPC_PORT": grpc_port} if grpc_port else {}),
            "FROND_HOST": LOOPBACK,
            "FROND_PORT": str(port),
            "FROND_METRICS_HOST": LOOPBACK,
            "FROND_METRICS_PORT": str(metrics_port),
            "FROND_PUBLIC_URL": self.url,
            "FROND_DATABASE_URL": database_url,
            "FROND_TRITON_GRPC": triton_grpc,
            "FROND_JWKS_FILE": str(paths.keys / "jwks.json"),
            "FROND_JWT_ISSUER": ISSUER,
            "FROND_JWT_AUDIENCE": AUDIENCE,
            "FROND_MODEL_REPOSITORY": str(paths.model_repository),
            "FROND_STORAGE_DIR": str(paths.storage),
            "FROND_STORAGE_SIGNING_KEY_FILE": str(paths.keys / "storage-signing-key"),
        }
        self._client = httpx2.AsyncClient(
            base_url=self.url,
            limits=httpx2.Limits(max_keepalive_connections=0),
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
            verify=False,
        )

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def command(self) -> Command:
        return Command((sys.executable, "-m", "gateway"), {**PYTHON_ENVIRONMENT, **self._settings})

    async def look(self) -> Health:
        try:
            response = await self._client.get("/health/ready")
            if response.status_code == httpx2.codes.OK:
                return Health.ready()
            parts = response.json()["parts"].items()
            return Health.unready("; ".join(f"{name}: {part['reason']}" for name, part in parts if not part["ready"]))
        except (httpx2.HTTPError, ValueError, KeyError):
            return await self._live()

    async def _live(self) -> Health:
        """Readiness asks the other parts; that it does not answer in time need not be the gateway's fault."""
        try:
            response = await self._client.get("/health/live")
        except httpx2.HTTPError as error:
            return Health.silent(f"does not answer ({type(error).__name__})")
        return Health.unready("its readiness does not answer") if response.is_success else Health.silent("not alive")
