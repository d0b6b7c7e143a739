"""Batches for training: leaves on other backgrounds, seen from elsewhere, in other light, through a worse camera.

PlantVillage is a lab set whose background betrays the class; a network that sees the leaf on anything cannot use that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from training.cutout import cut_out
from training.dataset import BACKGROUND, Split
from training.outliers import draw_outliers, shuffle_tiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEW_BACKGROUND_SHARE = 0.4  # of the leaves whose outline is known
OUTLIERS_PER_EPOCH = 360  # drawn pictures, about two classes' worth
POOL_SIZE = 900  # backgrounds to put a leaf on, drawn ones included
BLUR_SHARE, NOISE_SHARE = 0.2, 0.2


@dataclass(frozen=True, slots=True)
class Material:
    """Everything a batch is made from: photos uint8 [N, 3, S, S], masks uint8 [N, 1, S, S] (zero: no outline known),
    classes int64 [N], backgrounds uint8 [M, 3, S, S]."""

    photos: Tensor
    masks: Tensor
    classes: Tensor
    backgrounds: Tensor


def gather(split: Split, seed: int) -> Material:
    """Outline the leaves, draw the outliers, and pool the backgrounds."""
    random = np.random.default_rng(seed)
    background_class = split.labels.index(BACKGROUND)
    size = split.photos.shape[1]
    masks = np.zeros((len(split.photos), 1, size, size), dtype=np.uint8)
    for index in tqdm(range(len(split.photos)), "outlines", unit="photo"):
        if split.classes[index] != background_class and (mask := cut_out(split.photos[index])) is not None:
            masks[index, 0] = mask
    scenes = split.photos[split.classes == background_class]
    drawn = draw_outliers(OUTLIERS_PER_EPOCH * 2 // 3, size, seed)
    tiled = [shuffle_tiles(random, scene, int(random.choice((3, 4, 8)))) for scene in scenes[: OUTLIERS_PER_EPOCH // 3]]
    outliers = np.concatenate([drawn, np.stack(tiled)])
    pool = np.concatenate([scenes, scenes[:, :, ::-1], outliers])[:POOL_SIZE]
    blank = np.zeros((len(outliers), 1, size, size), dtype=np.uint8)
    outlier_classes = np.full(len(outliers), background_class)
    return Material(
        _channels_first(np.concatenate([split.photos, outliers])),
        torch.from_numpy(np.concatenate([masks, blank])),
        torch.from_numpy(np.concatenate([split.classes, outlier_classes])),
        _channels_first(pool),
    )


def batch(material: Material, indices: Tensor, size: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Photos float32 [B, 3, size, size] in 0 to 255, and classes int64 [B]."""
    photos = material.photos[indices].float()
    photos = _replace_background(photos, material.masks[indices], material.backgrounds, random)
    photos = _change_view(photos, size, random)
    photos = _change_light(photos, random)
    return _worsen(photos, random).clamp_(0, 255), material.classes[indices]


def _channels_first(photos: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(photos.transpose(0, 3, 1, 2)))


def _uniform(random: torch.Generator, count: int, low: float, high: float) -> Tensor:
    return torch.rand(count, generator=random) * (high - low) + low


def _replace_background(photos: Tensor, masks: Tensor, backgrounds: Tensor, random: torch.Generator) -> Tensor:
    count = len(photos)
    chosen = (torch.rand(count, generator=random) < NEW_BACKGROUND_SHARE) & (masks.amax((1, 2, 3)) > 0)
    picks = torch.randint(len(backgrounds), (int(chosen.sum()),), generator=random)
    share = masks[chosen].float() / 255
    photos[chosen] = photos[chosen] * share + backgrounds[picks].float() * (1 - share)
    return photos


def _change_view(photos: Tensor, size: int, random: torch.Generator) -> Tensor:
    """Quarter turns, ±25° more, zoom 0.55 to 1.15, ±12 % aspect, shift, mirror: one affine resampling."""
    count = len(photos)
    quarter = torch.randint(4, (count,), generator=random) * (math.pi / 2)
    angle = quarter + _uniform(random, count, -25, 25) * (math.pi / 180)
    zoom = _uniform(random, count, 0.55, 1.15)
    aspect = _uniform(random, count, -0.12, 0.12).exp()
    mirror = torch.randint(2, (count,), generator=random) * 2.0 - 1
    room = (1 - zoom).clamp(min=0.1)
    shift = torch.rand((count, 2), generator=random) * 2 - 1
    rows = torch.stack(
        [
            torch.stack([angle.cos() * zoom * aspect * mirror, -angle.sin() * zoom / aspect, shift[:, 0] * room], 1),
            torch.stack([angle.sin() * zoom * aspect * mirror, angle.cos() * zoom / aspect, shift[:, 1] * room], 1),
        ],
        1,
    )
    grid = functional.affine_grid(rows, [count, 3, size, size], align_corners=False)
    return functional.grid_sample(photos, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _change_light(photos: Tensor, random: torch.Generator) -> Tensor:
    count = len(photos)

    def factors(low: float, high: float, channels: int = 1) -> Tensor:
        return _uniform(random, count * channels, low, high).view(count, channels, 1, 1)

    photos = photos * factors(0.65, 1.35) * factors(0.92, 1.08, channels=3)
    mean = photos.mean((1, 2, 3), keepdim=True)
    photos = (photos - mean) * factors(0.7, 1.3) + mean
    grey = photos.mean(1, keepdim=True)
    return (photos - grey) * factors(0.6, 1.4) + grey


def _worsen(photos: Tensor, random: torch.Generator) -> Tensor:
    count, _, size, _ = photos.shape
    blurred = torch.rand(count, generator=random) < BLUR_SHARE
    if blurred.any():
        small = functional.interpolate(photos[blurred], scale_factor=0.5, mode="area")
        photos[blurred] = functional.interpolate(small, size=(size, size), mode="bilinear")
    noisy = torch.rand(count, generator=random) < NOISE_SHARE
    strength = _uniform(random, int(noisy.sum()), 2, 12).view(-1, 1, 1, 1)
    photos[noisy] += torch.randn(photos[noisy].shape, generator=random) * strength
    return photos
