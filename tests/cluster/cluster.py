"""The whole of it: gateways and Tritons as the manifests have them, PostgreSQL, S3, Prometheus, and a way in."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stack.database import GATEWAY_LOGIN
from tests import seaweed
from tests.cluster.deployment import Deployment
from tests.cluster.images import TritonImage, gateway_command
from tests.cluster.ingress import ingress
from tests.cluster.names import Endpoints, NameServer, resolver_file
from tests.cluster.network import Network, network
from tests.cluster.overlay import manifests
from tests.cluster.pod import Pod
from tests.cluster.stateful import POSTGRES_PORT, PhotoStore, database, prometheus
from tests.cluster.workload import Secrets, Workload, workload
from tests.gateway_processes import PASSWORD, PostgresServer
from tests.gateways import AUDIENCE, ISSUER, SigningKey, write_keys
from tests.server_process import Server, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from stack.command import Command

# How late everyone hears of a pod that comes or goes. Triton: an answer of the name server may be that old, and the
# manifest's preStop counts on no more. Gateways: two thirds of their drain; most load balancers need a second or two.
TRITON_NEWS_SECONDS, GATEWAY_NEWS_SECONDS = 30.0, 10.0


@dataclass(frozen=True)
class Cluster:
    """Up and ready."""

    url: str
    prometheus_url: str
    signing_key: SigningKey
    gateways: Deployment
    tritons: Deployment
    postgres: PostgresServer
    photos: PhotoStore
    read_manifests: Callable[..., Mapping[str, Workload]]

    @property
    def restarts(self) -> int:
        return sum(pod.restarts for tier in (self.gateways, self.tritons) for pod in tier.pods)


@asynccontextmanager
async def cluster(folder: Path, models: Callable[[Path], None]) -> AsyncIterator[Cluster]:
    """`models` changes the model repository before it is served."""
    with network(folder / "network.log") as net:
        builder = Builder(folder, net, TritonImage(folder, models))
        async with running(*builder.servers):
            await builder.postgres.make_database()
            await builder.photos.make_bucket()
            made = builder.cluster()
            try:
                for tier in (made.tritons, made.gateways):  # a gateway is ready when it has diagnosed a photo
                    await tier.scale_up()
                made.tritons.endpoints.delay_seconds = TRITON_NEWS_SECONDS
                made.gateways.endpoints.delay_seconds = GATEWAY_NEWS_SECONDS
                yield made
            finally:
                await asyncio.gather(made.gateways.drop(), made.tritons.drop())


class Builder:
    """What there is before the first pod."""

    def __init__(self, folder: Path, net: Network, triton: TritonImage) -> None:
        self._folder = folder
        self._network = net
        self._triton = triton
        self._signing_key = SigningKey()
        names_at = net.sandbox({})
        self._resolver = resolver_file(folder / "resolv.conf", names_at.address)
        self._names = NameServer(folder, names_at)
        self._ingress_at = net.sandbox({})
        self.postgres = database(folder / "postgres", net.sandbox({}))
        self.photos = PhotoStore.of(folder / "s3", net.sandbox({}))
        prometheus_server, self._prometheus_url = prometheus(folder, net, self._resolver)
        self.servers: tuple[Server, ...] = (
            self._names.server,
            ingress(folder, self._ingress_at, names_at.address),
            self.postgres,
            self.photos,
            prometheus_server,
        )

    def cluster(self) -> Cluster:
        workloads = self.read_manifests()
        return Cluster(
            url=self._url,
            prometheus_url=self._prometheus_url,
            signing_key=self._signing_key,
            gateways=self._deployment(workloads["gateway"], gateway_command),
            tritons=self._deployment(workloads["triton"], self._triton.command),
            postgres=self.postgres,
            photos=self.photos,
            read_manifests=self.read_manifests,
        )

    def read_manifests(self, *components: str) -> dict[str, Workload]:
        """Both Deployments, with components of deploy/ besides."""
        folder = self._folder / "-".join(("overlay", *components))
        resources = manifests(folder, self._literals(), *components)
        return {name: workload(resources, name, self._secrets(), folder) for name in ("gateway", "triton")}

    @property
    def _url(self) -> str:
        return f"http://{self._ingress_at.address}"

    def _literals(self) -> dict[str, str]:
        return {
            "FROND_PUBLIC_URL": self._url,
            "FROND_JWKS_FILE": str(write_keys(self._folder / "jwks.json", self._signing_key)),
            "FROND_JWT_ISSUER": ISSUER,
            "FROND_JWT_AUDIENCE": AUDIENCE,
            "FROND_S3_ENDPOINT": self.photos.store.endpoint,
            "FROND_S3_REGION": seaweed.REGION,
            "FROND_S3_BUCKET": seaweed.BUCKET,
            "FROND_STORAGE_ALLOW_PRIVATE_ADDRESSES": "true",
        }

    def _secrets(self) -> Secrets:
        address = self.postgres.cluster.url(POSTGRES_PORT, "frond", GATEWAY_LOGIN, PASSWORD)
        return {
            "frond-database": {"url": address},
            "frond-s3": {"access-key-id": seaweed.KEY_ID, "secret-access-key": seaweed.SECRET},
        }

    def _deployment(self, first: Workload, command: Callable[[Workload], Command]) -> Deployment:
        numbers, endpoints = itertools.count(1), Endpoints(self._names, first.name)

        def make_pod(of: Workload) -> Pod:
            log = self._folder / f"{of.name}-{next(numbers)}.log"
            sandbox = self._network.sandbox({self._resolver: "/etc/resolv.conf", **of.mounts})
            return Pod(of, sandbox, command(of), log, endpoints)

        return Deployment(first, endpoints, make_pod)
