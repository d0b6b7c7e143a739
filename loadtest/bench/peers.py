"""FastAPI, LitServe and BentoML as servers of their own: how each is started, and what it is sent."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from loadtest.bench.answers import RELEASE, of_json
from loadtest.bench.target import Server, TargetError, over_http
from loadtest.gpu.session import readied
from loadtest.http import BOUNDARY, HttpConnection, post
from stack.command import Command, log_tail, start, stop
from stack.paths import ROOT
from stack.ports import LOOPBACK, free_ports

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

ENVIRONMENT = ROOT / ".venv-peers"
APPLICATIONS = ROOT / "loadtest" / "peers"
NAMES = ("fastapi", "litserve", "bentoml")
TUNED = "fastapi-tuned"  # FastAPI with what Frond does to photo and graph; on demand
START_SECONDS = 60.0
STOP_SECONDS = 15.0
PATH = "/classify"


def _argv(name: str, port: int) -> tuple[str, ...]:
    programs = ENVIRONMENT / "bin"
    listen = ("--host", LOOPBACK, "--port", str(port))
    match name:
        case "fastapi" | "fastapi-tuned":
            application = ("fastapi_app:app", "--app-dir", str(APPLICATIONS))
            return (str(programs / "uvicorn"), *application, *listen, "--no-access-log")
        case "litserve":
            return (str(programs / "python"), str(APPLICATIONS / "litserve_app.py"), str(port))
        case "bentoml":
            application = ("bentoml_app:LeafClassifier", "--working-dir", str(APPLICATIONS))
            return (str(programs / "bentoml"), "serve", *application, *listen)
    raise ValueError(name)


def are_installed() -> bool:
    return (ENVIRONMENT / "ready").exists()


@asynccontextmanager
async def peer(name: str, folder: Path) -> AsyncIterator[Server]:
    """The server, ready; `folder` takes its log and whatever else it writes."""
    (port,) = free_ports(1)
    env = {"HOME": str(folder), "BENTOML_HOME": str(folder / "bentoml"), "BENTOML_DO_NOT_TRACK": "true"}
    if name == TUNED:
        (folder / "readied.onnx").write_bytes(readied(RELEASE / "model.onnx"))
        env |= {"MODEL": str(folder / "readied.onnx"), "SCALED_DECODING": "1"}
    command = Command(_argv(name, port), env, signal.SIGTERM)  # at which they end their workers too
    log = folder / f"{name}.log"
    process = start(command, log)
    address = f"{LOOPBACK}:{port}"
    try:
        await _listening(name, process, address, log)
        yield over_http(address, requests, of_json)
    finally:
        await asyncio.to_thread(stop, process, signal.SIGTERM, STOP_SECONDS)


def requests(photo: bytes) -> Callable[[], bytes]:
    """A form with one file, which is what the documentation of all three shows for files."""
    head = 'Content-Disposition: form-data; name="image"; filename="leaf.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    body = f"--{BOUNDARY}\r\n{head}".encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()
    request = post(PATH, {}, f"multipart/form-data; boundary={BOUNDARY}", body)
    return lambda: request


async def _listening(name: str, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            (await HttpConnection.open(address)).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise TargetError(f"{name} did not start:\n{log_tail(log)}") from None
            await asyncio.sleep(0.1)
        else:
            return
