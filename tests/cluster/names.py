"""Names of services and who stands behind them: a real name server, told late, as the caches of a cluster tell."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from stack.command import Command
from tests.server_process import Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.network import Sandbox

DOMAIN = "frond.svc.cluster.local"  # of the manifests' namespace
PORT = 53


class NameServer:
    """dnsmasq over one file of names, which it reads again on SIGHUP."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self._hosts = folder / "hosts"
        self._hosts.write_text("")
        self._addresses: dict[str, list[str]] = {}
        options = {
            "listen-address": sandbox.address,
            "addn-hosts": self._hosts,
            "local": "/cluster.local/",
            "conf-file": "/dev/null",
        }
        # Not a daemon and no change of user, which would take the death signal from it.
        flags = ("--no-daemon", "--bind-interfaces", "--no-resolv", "--no-hosts")
        command = Command(("dnsmasq", *flags, *(f"--{name}={value}" for name, value in options.items())))
        self.server = Server(
            "names", sandbox.inside(command), folder / "names.log", lambda: takes_connections(sandbox.address, PORT)
        )

    def publish(self, name: str, addresses: frozenset[str]) -> None:
        self._addresses[name] = sorted(addresses)
        lines = [f"{address} {name}.{DOMAIN}\n" for name, found in self._addresses.items() for address in found]
        draft = self._hosts.with_suffix(".new")
        draft.write_text("".join(lines))
        draft.rename(self._hosts)
        if self.server.process is not None:
            self.server.process.send_signal(signal.SIGHUP)


def resolver_file(path: Path, name_server: str) -> Path:
    """/etc/resolv.conf of a pod."""
    path.write_text(
        f"nameserver {name_server}\nsearch {DOMAIN} svc.cluster.local cluster.local\noptions ndots:5 timeout:2\n"
    )
    return path


class Endpoints:
    """The ready addresses of a service; everyone hears of each change `delay_seconds` later."""

    def __init__(self, names: NameServer, name: str) -> None:
        self.delay_seconds = 0.0
        self._names = names
        self._name = name
        self._ready: frozenset[str] = frozenset()
        self._published: set[asyncio.Task[None]] = set()

    def note(self, address: str, *, is_ready: bool) -> None:
        self._ready = self._ready | {address} if is_ready else self._ready - {address}
        task = asyncio.create_task(self._publish(self._ready))
        self._published.add(task)
        task.add_done_callback(self._published.discard)

    async def _publish(self, addresses: frozenset[str]) -> None:
        await asyncio.sleep(self.delay_seconds)
        self._names.publish(self._name, addresses)


async def takes_connections(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(2):
            _, writer = await asyncio.open_connection(address, port)
    except OSError:
        return False
    writer.close()
    return True
