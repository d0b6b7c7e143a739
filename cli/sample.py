"""A sample photo drawn by code, for machines without a leaf at hand; it says on its face that it is drawn."""

from __future__ import annotations

import io
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIZE = 1024
SEED = 7
LABEL = "Sample drawn by Frond - not a photo"

PAPER = np.array([156.0, 150.0, 156.0])
LEAF_DARK, LEAF_LIGHT = np.array([52.0, 87.0, 40.0]), np.array([123.0, 163.0, 78.0])
VEIN, SPOT, RIM = np.array([138.0, 160.0, 100.0]), np.array([66.0, 48.0, 34.0]), np.array([150.0, 146.0, 78.0])

Field: TypeAlias = NDArray[np.float64]
"""float64 [SIZE, SIZE]: one value a pixel."""


def draw_sample() -> bytes:
    """A JPEG of a spotted leaf on grey paper, the same at every call."""
    random = np.random.default_rng(SEED)
    along, across = _leaf_coordinates(random)
    half_width = 0.41 * np.sin(np.pi * np.clip(along, 0, 1) ** 0.85) ** 0.9 * (1 + 0.05 * _saw(along * 17))
    inside = ((along > 0) & (along < 1) & (np.abs(across) < half_width)).astype(np.float64)
    mask = _blur(inside, 1.5)[..., None]
    shadow = 0.55 * _blur(np.roll(inside, (16, 12), (0, 1)), 10)[..., None]
    paper = PAPER * (1 + 0.03 * _clouds(random, 5)[..., None]) * (1 - shadow)
    picture = paper * (1 - mask) + _blade(random, along, across, half_width) * mask
    picture += random.normal(0, 3, (SIZE, SIZE, 1))
    image = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    ImageDraw.Draw(image).text((20, SIZE - 36), LABEL, fill=(60, 60, 60), font_size=22)
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=90)
    return encoded.getvalue()


def _leaf_coordinates(random: np.random.Generator) -> tuple[Field, Field]:
    """Each pixel's place along the midrib, 0 at the stalk to 1 at the tip, and across it: askew and a little bent."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    angle = np.radians(-40)
    along = (x * np.cos(angle) + y * np.sin(angle)) / 0.92 + 0.5
    across = (y * np.cos(angle) - x * np.sin(angle)) / 0.46
    bend = 0.18 * (along - 0.5) ** 2
    return along, across + bend + 0.015 * _clouds(random, 7)


def _blade(random: np.random.Generator, along: Field, across: Field, half_width: Field) -> NDArray[np.float64]:
    """The leaf's surface, float64 [SIZE, SIZE, 3]: mottled green, midrib and side veins, lesions with pale rims."""
    tone = 0.5 + 0.2 * _clouds(random, 6) + 0.1 * _clouds(random, 40) + 0.04 * _clouds(random, 200)
    slant = (along - 0.55 * np.abs(across)) * 9 + 0.35 * (across > 0)
    from_vein = np.abs(slant - np.round(slant))
    tone += 0.5 * (from_vein - 0.2)  # the blade bulges between its veins
    colour = LEAF_DARK + (LEAF_LIGHT - LEAF_DARK) * tone.clip(0, 1)[..., None]
    veins = np.maximum(np.exp(-((across / 0.022) ** 2)), 0.45 * np.exp(-((from_vein / 0.045) ** 2)))
    colour = _mix(colour, VEIN, 0.73 * veins)
    blight = 0.7 * _clouds(random, 9) + _clouds(random, 27) + 0.5 * (np.abs(across) / (half_width + 0.05))
    colour = _mix(colour, RIM, 0.8 * _step(blight, 2.07, 0.2))
    return _mix(colour, SPOT * (1 + 0.25 * _clouds(random, 90)[..., None]), _step(blight, 2.5, 0.12))


def _mix(under: NDArray[np.float64], over: NDArray[np.float64], share: Field) -> NDArray[np.float64]:
    return under + (over - under) * share[..., None]


def _step(values: Field, threshold: float, softness: float) -> Field:
    stepped: Field = np.clip((values - threshold) / softness + 0.5, 0, 1)
    return stepped


def _saw(values: Field) -> Field:
    return np.mod(values, 1.0)


def _clouds(random: np.random.Generator, cells: int) -> Field:
    """Smooth noise of that many cells a side, of mean 0 and deviation about 1."""
    coarse = Image.fromarray(random.normal(0, 1.4, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((SIZE, SIZE), Image.Resampling.BICUBIC), dtype=np.float64)


def _blur(values: Field, radius: float) -> Field:
    blurred = Image.fromarray((values * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    shares: Field = np.asarray(blurred, dtype=np.float64) / 255
    return shares
