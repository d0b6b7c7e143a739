"""A node with a bridge, and sandboxes on it: each with a network, a name service and mounts of its own, as a pod has.

Namespaces and links end with the processes in them, so that nothing is left over however the test ends.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from stack import processes
from stack.command import Command, kill_group, log_tail, start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

READY_SECONDS = 20.0
HOST, FIRST = 2, 10  # the last byte of our own address, and of the first sandbox's
PROGRAMS = {"ip": "iproute2", "nsenter": "util-linux", "haproxy": "haproxy", "dnsmasq": "dnsmasq-base"}
NAMESPACES = ("unshare", "--net", "--mount", "--")
# A process that waits holds the namespaces, as Kubernetes' pause container does. `readlink`: a link may lead to /run.
PAUSE = """
mount -t tmpfs tmpfs /run && mount -t tmpfs -o size=1g tmpfs /dev/shm
while [ $# -gt 0 ]; do
    target=$(readlink -m "$2")
    if [ -d "$1" ]; then mkdir -p "$target"; else mkdir -p "${target%/*}"; [ -e "$target" ] || : > "$target"; fi
    mount --bind "$1" "$target"
    shift 2
done
exec sleep infinity
"""


def require_namespaces() -> None:
    """Leaves the test out where they cannot be had, or a program is missing."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        pytest.skip(f"the cluster needs {', '.join(missing)}: apt-get install {' '.join(missing)}")
    if os.geteuid() != 0 or subprocess.run([*NAMESPACES, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("the cluster needs network namespaces, and so root (with CAP_SYS_ADMIN and CAP_NET_ADMIN)")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What the processes of a pod share with nobody else."""

    address: str
    pause: subprocess.Popen[bytes]

    def inside(self, command: Command) -> Command:
        enter = ("nsenter", f"--target={self.pause.pid}", "--net", "--mount", "--")
        return replace(command, argv=(*enter, *command.full_argv()), privileges=())

    def close(self) -> None:
        kill_group(self.pause)
        self.pause.wait()


class Network:
    """198.18.0.0/15 is for tests of networks (RFC 2544): it is nobody's real address."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._prefix = f"198.{random.choice((18, 19))}.{random.randrange(256)}"
        self._numbers = itertools.count(FIRST)
        self._sandboxes: list[Sandbox] = []
        self.node = self._hold(self.address_of(1))
        device = f"frond{self.node.pause.pid}"
        self._ip(self.node, "link add pods type bridge forward_delay 0", "link set pods up", "link set lo up")
        self._link(device, os.getpid(), self.address_of(HOST))

    def address_of(self, number: int) -> str:
        return f"{self._prefix}.{number}"

    def sandbox(self, mounts: Mapping[Path, str]) -> Sandbox:
        """With the next address; `mounts`: where files and folders of ours appear there."""
        number = next(self._numbers)
        sandbox = self._hold(self.address_of(number), *(str(word) for pair in mounts.items() for word in pair))
        self._link("eth0", sandbox.pause.pid, sandbox.address)
        self._ip(sandbox, "link set lo up")
        return sandbox

    def close(self) -> None:
        for sandbox in self._sandboxes:
            sandbox.close()

    def _hold(self, address: str, *arguments: str) -> Sandbox:
        pause = start(Command((*NAMESPACES, "sh", "-euc", PAUSE, "pause", *arguments)), self._log)
        self._sandboxes.append(sandbox := Sandbox(address, pause))
        give_up_at = time.monotonic() + READY_SECONDS
        while name_of(pause) != "sleep":
            assert pause.poll() is None, log_tail(self._log)
            assert time.monotonic() < give_up_at, log_tail(self._log)
            time.sleep(0.005)
        return sandbox

    def _link(self, device: str, process_id: int, address: str) -> None:
        """From the network of the process to the node's bridge."""
        port = f"port{address.rpartition('.')[2]}"
        run("ip", f"link add {device} netns {process_id} type veth peer name {port} netns {self.node.pause.pid}")
        self._ip(self.node, f"link set {port} master pods up")
        run(*network_of(process_id), "ip", f"address add {address}/24 dev {device}", f"link set {device} up")

    def _ip(self, sandbox: Sandbox, *commands: str) -> None:
        run(*network_of(sandbox.pause.pid), "ip", *commands)


def network_of(process_id: int) -> tuple[str, ...]:
    return ("nsenter", f"--target={process_id}", "--net", "--")


def run(*words: str) -> None:
    """`ip`, perhaps below other programs, and what it shall do, a line each."""
    program = words.index("ip") + 1
    lines = "\n".join(words[program:])
    command = [*words[:program], "-batch", "-"]
    result = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=20, check=False)
    assert result.returncode == 0, f"{lines}: {result.stderr}"


def name_of(process: subprocess.Popen[bytes]) -> str:
    found = processes.find(process.pid)
    return found.name if found else ""


@contextmanager
def network(log: Path) -> Iterator[Network]:
    require_namespaces()
    made = Network(log)
    try:
        yield made
    finally:
        made.close()
