"""Triton from the `nvidia-pytriton` wheel: its backends laid out, and the command that serves a model repository."""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stack import trees
from stack.command import Command
from stack.errors import StackError
from stack.paths import ROOT
from stack.ports import LOOPBACK, free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (where Triton puts its regions)
PYTHON_BASED_BACKENDS = ("python", "onnxruntime")
# Loading a model runs code that the request brings along, and any web page in the user's browser can send a POST to
# 127.0.0.1; one with this header it cannot. Over gRPC the same key keeps other users of the machine out.
CONTROL_HEADER = "frond-control-key"
CONTROL_APIS = "model-repository,shared-memory,trace,logging"
GRPC_CONTROL_HEADER = f"triton-grpc-protocol-{CONTROL_HEADER}"  # Triton puts the prefix before it


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where one Triton listens, as host:port, and the key of those who may change it."""

    grpc: str
    http: str
    metrics: str
    control_key: str = field(default_factory=secrets.token_urlsafe, repr=False)

    @property
    def grpc_control(self) -> dict[str, str]:
        """Metadata for calls that change it."""
        return {GRPC_CONTROL_HEADER: self.control_key}

    @classmethod
    def pick(cls) -> Addresses:
        grpc, http, metrics = (f"{LOOPBACK}:{port}" for port in free_ports(3))
        return cls(grpc, http, metrics)


def wheel() -> Path:
    """The wheel's folder of the server; found without importing the wheel, whose Python half is not installed."""
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        raise StackError(
            "Triton is not installed here: run `make test` or pip install -r requirements/tritonserver.txt."
        )
    return Path(spec.submodule_search_locations[0]) / "tritonserver"


def stub() -> Path:
    """The program that runs a Python model, for this interpreter's version."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    program = wheel() / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not program.exists():
        raise StackError(f"Triton has no stub for Python {version}: use Python 3.11 or 3.12.")
    return program


def prepare_backends(target: Path) -> None:
    """Lay out the Python backend and ours of ONNX Runtime. Copies: Triton refuses a link that leaves the folder."""
    shutil.rmtree(target, ignore_errors=True)
    for name in PYTHON_BASED_BACKENDS:
        folder = target / name
        trees.copy(wheel() / "backends" / "python", folder)
        shutil.copy2(stub(), folder)
    trees.copy(ROOT / "backends" / "onnxruntime", target / "onnxruntime")


def python_library_folder() -> Path | None:
    """The folder of the interpreter's shared library, which the stub is linked against."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    named = sysconfig.get_config_var("LIBDIR")
    folders = [Path(named)] if named else []
    folders += [Path(sys.base_prefix) / "lib", *sorted(Path("/usr/lib").glob("*-linux-gnu"))]
    return next((folder for folder in folders if (folder / f"libpython{version}.so.1.0").exists()), None)


def serve_command(
    repository: Path,
    backends: Path,
    addresses: Addresses,
    shared_memory_prefix: str,
    *,
    env: Mapping[str, str] | None = None,
    traces_url: str | None = None,
) -> Command:
    """tritonserver over `repository`, all models loaded; loading and unloading is by its control protocol.

    `traces_url`: of the collector that gets the spans of traced calls (OTLP over HTTP).
    """
    libraries = [str(wheel().parents[1] / "nvidia_pytriton.libs"), str(python_library_folder() or "")]
    packages = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(ROOT)))
    options = {
        "model-repository": repository,
        "backend-directory": backends,
        "model-control-mode": "explicit",
        "load-model": "*",
        "exit-on-error": "false",  # one release that cannot load does not take the others down
        "exit-timeout-secs": 5,
        "allow-gpu-metrics": "false",
        "grpc-http2-max-ping-strikes": 0,  # the gateway pings each 1.5 s to find out early that we are gone
        "http-thread-count": 2,  # health and model control only; inference comes over gRPC
        "http-restricted-api": f"{CONTROL_APIS}:{CONTROL_HEADER}={addresses.control_key}",
        "grpc-restricted-protocol": f"{CONTROL_APIS}:{CONTROL_HEADER}={addresses.control_key}",
    }
    for name in ("http", "grpc", "metrics"):
        host, port = getattr(addresses, name).split(":")
        options |= {f"{name}-address": host, f"{name}-port": port}
    regions = [
        f"--backend-config={name},shm-region-prefix-name={shared_memory_prefix}" for name in PYTHON_BASED_BACKENDS
    ]
    return Command(
        (
            str(wheel() / "bin" / "tritonserver"),
            "--disable-auto-complete-config",
            *(f"--{name}={value}" for name, value in options.items()),
            *regions,
            *(trace_options(traces_url) if traces_url else ()),
        ),
        env={
            "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
            "PYTHONPATH": ":".join(packages),
            **({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": traces_url} if traces_url else {}),  # for the models' own spans
            **(env or {}),
        },
    )


def trace_options(traces_url: str) -> list[str]:
    """At rate 0 it traces the calls that come with a context and no other: those that the gateway records."""
    settings = (
        "mode=opentelemetry",
        f"opentelemetry,url={traces_url}",
        "opentelemetry,resource=service.name=frond-triton",
        "opentelemetry,bsp_schedule_delay=1000",
        "level=TIMESTAMPS",
        "rate=0",
    )
    return [f"--trace-config={setting}" for setting in settings]


def sweep_shared_memory(prefix: str) -> int:
    """Remove what a killed Triton left in /dev/shm under our own prefix; returns how many regions there were."""
    regions = list(SHARED_MEMORY.glob(f"{prefix}*"))
    for region in regions:
        region.unlink(missing_ok=True)
    return len(regions)
