"""Free TCP ports on the loopback interface."""

from __future__ import annotations

import random
import socket

from stack.errors import StackError

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8080  # the gateway's

# Below Linux's range for outgoing connections (32768 and up). Inside it, a client that tries to reach a part which is
# restarting can be given that very port as its own and connect to itself; the part then cannot bind it any more.
INTERNAL_PORTS = range(20_000, 32_000)
ATTEMPTS = 200


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now; a port whose old connections are still closing counts as free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listens on."""
    candidates = random.sample(INTERNAL_PORTS, ATTEMPTS)
    found = [port for port in candidates if is_free(port)][:count]
    if len(found) < count:
        raise StackError(f"No free port between {INTERNAL_PORTS.start} and {INTERNAL_PORTS.stop} on {LOOPBACK}.")
    return found
