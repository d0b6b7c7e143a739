"""Triton alone: the same wheel and backends as Frond's, over a repository with the plainest BLS model."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from loadtest.bench.answers import RELEASE, of_json
from loadtest.bench.messages import infer_request, text_of
from loadtest.bench.target import Server, over_grpc
from loadtest.gpu.configuration import CPU
from loadtest.gpu.server import running
from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MODELS = ROOT / "loadtest" / "peers" / "triton"


@asynccontextmanager
async def plain_triton(folder: Path) -> AsyncIterator[Server]:
    """The server, ready; `folder` takes its repository, backends and log."""
    repository = folder / "triton-models"
    shutil.copytree(MODELS, repository, ignore=shutil.ignore_patterns("__pycache__"))
    (repository / "classifier" / "1").mkdir()
    shutil.copy2(RELEASE / "model.onnx", repository / "classifier" / "1")
    for name in ("labels.json", "calibration.json", "preprocess.json"):
        shutil.copy2(RELEASE / name, repository / "photo" / "1")
    with running(folder, repository, CPU) as addresses:
        yield over_grpc(
            addresses.grpc,
            lambda photo: infer_request("photo", "IMAGE", [1], photo),
            lambda response: of_json(text_of(response)),
        )
