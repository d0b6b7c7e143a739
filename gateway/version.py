"""Which version of Frond this is."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def find_version() -> str:
    """The installed package's, or that of the source tree, which is what an image holds."""
    try:
        return version("frond-service")
    except PackageNotFoundError:
        project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
        return str(project["project"]["version"])


VERSION = find_version()
