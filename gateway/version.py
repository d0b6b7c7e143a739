"""Which version of Frond this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("frond-service")
except PackageNotFoundError:  # a bare source tree
    VERSION = "unknown"
