"""The options that say how a float model wants its pixels: a name, or mean and standard deviation."""

from __future__ import annotations

import math
from typing import Literal

from cli.failure import Failure
from training.importer.wrapping import IMAGENET, Normalisation

NORMALISATIONS = {
    "imagenet": IMAGENET,
    "-1..1": Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "0..1": Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "0..255": Normalisation((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
}
NormalisationName = Literal["imagenet", "-1..1", "0..1", "0..255"]


def read_normalisation(name: NormalisationName | None, mean: str | None, std: str | None) -> Normalisation | None:
    """None where nothing is said; raises `Failure` for options that contradict each other or are no numbers."""
    if mean is None and std is None:
        return NORMALISATIONS[name] if name else None
    if mean is None or std is None or name:
        raise Failure("Give --mean together with --std, and without --normalisation.")
    means, deviations = _triple("--mean", mean), _triple("--std", std)
    if min(deviations) <= 0:
        raise Failure(f"--std is {std!r}; every number must be above 0.")
    return Normalisation(means, deviations)


def _triple(option: str, text: str) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(part) for part in text.split(","))
    except ValueError:
        red = green = blue = math.nan
    if not all(map(math.isfinite, (red, green, blue))):
        raise Failure(f"{option} is {text!r}; expected three numbers with commas, for red, green and blue.")
    return red, green, blue
