"""What the pods run: the gateway of this checkout, and Triton from its wheel as the image starts it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stack import trees
from stack import triton as triton_part
from stack.command import Command
from stack.database import PYTHON_ENVIRONMENT
from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.workload import Workload

START = ROOT / "deploy" / "images" / "serve-triton"


def gateway_command(workload: Workload) -> Command:
    assert workload.command is not None
    return Command(workload.command, {**PYTHON_ENVIRONMENT, **workload.env})


class TritonImage:
    """The model repository and the backends, laid out once for all pods."""

    def __init__(self, folder: Path, models: Callable[[Path], None]) -> None:
        self._models, self._backends = folder / "models", folder / "backends"
        trees.copy(ROOT / "model_repository", self._models)
        models(self._models)
        triton_part.prepare_backends(self._backends)

    def command(self, workload: Workload) -> Command:
        assert workload.command is None, "the manifest has a command of its own; the image's start would not be used"
        addresses = triton_part.Addresses("127.0.0.1:8001", "127.0.0.1:8000", "127.0.0.1:8002")
        environment = triton_part.serve_command(self._models, self._backends, addresses, "unused").env
        programs = (triton_part.wheel() / "bin", Path(sys.executable).parent, os.environ["PATH"])
        return Command(
            ("sh", str(START), f"--backend-directory={self._backends}", "--allow-gpu-metrics=false"),
            {
                **environment,
                "PATH": ":".join(map(str, programs)),
                "FROND_MODEL_REPOSITORY": str(self._models),
                **workload.env,
            },
        )
