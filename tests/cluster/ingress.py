"""The way in: HAProxy over the gateways that the name service names, each request on its own to the next one.

It helps nobody: no retry, no second choice, no health check. What reaches a gateway that is gone fails at the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.command import Command
from tests.cluster.names import DOMAIN, PORT, takes_connections
from tests.server_process import Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.network import Sandbox

PUBLIC_PORT, GATEWAY_PORT = 80, 8080
CONFIGURATION = """
global
    maxconn 1000
    log stdout format raw local0 notice
defaults
    mode http
    log global
    retries 0
    timeout connect 2s
    timeout client 75s
    timeout server 60s
resolvers cluster
    nameserver dns {name_server}:{port}
    timeout resolve 1s
    timeout retry 1s
    hold valid 1s
frontend public
    bind {address}:{public_port}
    default_backend gateways
backend gateways
    balance roundrobin
    server-template pod 10 gateway.{domain}:{gateway_port} resolvers cluster init-addr none resolve-prefer ipv4
"""


def ingress(folder: Path, sandbox: Sandbox, name_server: str) -> Server:
    file = folder / "haproxy.cfg"
    file.write_text(
        CONFIGURATION.format(
            name_server=name_server,
            port=PORT,
            address=sandbox.address,
            public_port=PUBLIC_PORT,
            domain=DOMAIN,
            gateway_port=GATEWAY_PORT,
        )
    )
    command = Command(("haproxy", "-db", "-f", str(file)))
    return Server(
        "ingress",
        sandbox.inside(command),
        folder / "ingress.log",
        lambda: takes_connections(sandbox.address, PUBLIC_PORT),
    )
