"""The active release's card, read from the folder of the model repository."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.errors import GatewayError, NotFoundError, ServerError

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

RELEASES = "releases.json"
VERSION_FOLDER = "1"  # each release is a Triton model of its own with this one version
CARD = "card.json"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """`card` is None for a release that nobody measured."""

    version: str
    releases: tuple[str, ...]
    card: dict[str, Any] | None


class RepositoryCards:
    """Reads at each call: the folder is the operator's, a release changes seldom, and few ask."""

    def __init__(self, repository: Path | None) -> None:
        self._repository = repository

    def read(self) -> ServedModel:
        """Raises `NotFoundError` where no folder is configured, `ServerError` where it cannot be read."""
        if self._repository is None:
            raise NotFoundError("This gateway was not told where the model repository lies (FROND_MODEL_REPOSITORY).")
        try:
            content = json.loads((self._repository / RELEASES).read_bytes())
            active, models = content["active"], content["releases"]
            folder = self._repository / models[active] / VERSION_FOLDER
            return ServedModel(active, tuple(models), read_card(folder / CARD))
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise ServerError("The model repository cannot be read. Try again.") from error

    def warn_unless_named(self, version: str, setting: str) -> None:
        """Of a setting that names no release. Silent without a folder that can be read: then Triton alone knows."""
        try:
            releases = self.read().releases
        except GatewayError:
            return
        if version not in releases:
            logger.warning("%s=%s names no release of the model repository: %s", setting, version, ", ".join(releases))


def read_card(path: Path) -> dict[str, Any] | None:
    try:
        card = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    if not isinstance(card, dict):
        raise TypeError(f"{path} holds no object")
    return card
