"""Each image, built once a session."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from stack.paths import ROOT
from tests.images.building import Builder, Image, require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    require()
    builder = Builder(tmp_path_factory.mktemp("images"))
    builder.make_base()
    yield builder
    builder.buildah("rm", "--all")
    shutil.rmtree(builder.folder)  # gigabytes


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git knows of this tree, and nothing that lies about."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def gateway_image(builder: Builder, clone: Path) -> Image:
    return builder.build("gateway", clone)


@pytest.fixture(scope="session")
def triton_image(builder: Builder, clone: Path) -> Image:
    return builder.build("triton", clone)
