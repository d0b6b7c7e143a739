"""A model repository that may be changed: the running Triton's, put back after each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tritonclient.grpc import InferenceServerClient

from training.importer import registry
from training.importer.repository import discard
from training.importer.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import RunningTriton


@pytest.fixture
def server(triton: RunningTriton) -> Server:
    return Server(triton.grpc, triton.addresses.grpc_control)


@pytest.fixture
def client(triton: RunningTriton) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(triton.grpc) as client:
        yield client


@pytest.fixture
def repository(triton: RunningTriton, server: Server) -> Iterator[Path]:
    """Releases that a test adds are unloaded and removed after it, and traffic goes where it went before."""
    folder = triton.model_repository
    before = registry.read(folder)
    yield folder
    with registry.locked(folder) as after:
        registry.replace(folder, before)
    for model in set(after.releases.values()) - set(before.releases.values()):
        server.unload(model)
        discard(folder, model)
