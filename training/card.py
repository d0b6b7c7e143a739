"""The model card as data: what was measured on a release, and where it came from; `card.json` is this, in camelCase."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from training.evaluation import Figures
    from training.metrics import RiskCoverage
    from training.photos import Shows
    from training.refusals import Histogram, Refusals, Separation

SIGNIFICANT_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Source:
    """Photos or weights that others made: under which licence, and whom to name."""

    name: str
    used_for: str
    licence: str
    attribution: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """What no measurement can say of a model. The defaults say that nobody said it."""

    title: str = "Classifier"
    intended_use: str = "No intended use is stated."
    caveats: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """The graph that was measured, and with what."""

    version: str
    sha256: str
    size_bytes: int
    labels: tuple[str, ...]
    input_pixels: int
    software: dict[str, str]


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """A set of photos: what it shows and was used for, how many there are, of how many leaves, a hash over all."""

    name: str
    title: str
    shows: Shows
    used_for: str
    photos: int
    leaf_groups: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold with the rule that chose it. None: none meets the rule."""

    value: float | None
    rule: str


@dataclass(frozen=True, slots=True)
class SampleFigures:
    """A set's figures before (temperature 1) and after calibration."""

    sample: str
    before: Figures
    after: Figures


@dataclass(frozen=True, slots=True)
class Confusion:
    """How many photos of one label were given another."""

    truth: str
    answer: str
    photos: int


@dataclass(frozen=True, slots=True)
class Card:
    """`measured_on` names the sample of the headline: the test set, or, without one, the calibration set."""

    created: str
    command: str
    seed: int
    provenance: Provenance
    model: Model
    photo_sets: tuple[PhotoSet, ...]
    measured_on: str
    temperature: float
    leaf_log_odds: Choice
    leaf_energy: Choice
    min_confidence: Choice
    figures: tuple[SampleFigures, ...]
    refusals: tuple[Refusals, ...]
    separations: tuple[Separation, ...]
    leaf_scores: tuple[Histogram, ...]
    risk_coverage: dict[str, RiskCoverage]
    confusions: tuple[Confusion, ...]

    @property
    def is_tested(self) -> bool:
        """Whether the headline was measured on photos that nothing was chosen on."""
        return self.measured_on != "calibration"

    @property
    def headline(self) -> SampleFigures:
        return next(entry for entry in self.figures if entry.sample == self.measured_on)

    def title_of(self, sample: str) -> str:
        """A sample's title for people; of a part such as `test/leaves`, the set's title and the part's name."""
        titles = {entry.name: entry.title for entry in self.photo_sets}
        whole, _, part = sample.partition("/")
        return titles.get(sample) or ", ".join(text for text in (titles.get(whole, whole.capitalize()), part) if text)

    def field_samples(self, shows: Shows) -> list[str]:
        """The names of the field sets that show known labels, leaves of no label, or no leaf."""
        labelled = ("train", "calibration", "test")
        return [entry.name for entry in self.photo_sets if entry.shows == shows and entry.name not in labelled]

    def to_json(self) -> str:
        return json.dumps(_plain(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Dataclasses and arrays as JSON knows them; a figure that does not exist is null."""
    if dataclasses.is_dataclass(value):
        return {_camel(field.name): _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(value) else None
    return value


def _camel(name: str) -> str:
    return re.sub("_(.)", lambda match: match[1].upper(), name)
