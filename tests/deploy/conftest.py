"""What each overlay, and each component upon the base, renders to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deploy.manifests import COMPONENTS, OVERLAYS, Resource, render, render_component

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session", params=[*OVERLAYS, *COMPONENTS], ids=lambda path: f"{path.parent.name}/{path.name}")
def resources(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Resource]:
    """Of an overlay, or of a component upon the base."""
    folder: Path = request.param
    return render(folder) if folder in OVERLAYS else render_component(folder, tmp_path_factory.mktemp("kustomize"))
