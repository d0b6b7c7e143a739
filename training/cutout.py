"""The leaf's outline on a lab photo, so that training can put the leaf on another background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

BORDER_PIXELS = 6  # the lab background shows at least here
MIN_LEAF_SHARE, MAX_LEAF_SHARE = 0.12, 0.75  # outside, the outline is likely wrong
MAX_BORDER_SHARE = 0.15  # of the border covered by the leaf; more means a leaf that fills the frame


def cut_out(photo: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The leaf's mask uint8 [size, size] (0 background, 255 leaf), or None where the outline cannot be trusted.

    The lab backgrounds are grey and even: a pixel belongs to the leaf when its colour, brightness aside, lies far from
    the border's.
    """
    chroma = photo.astype(np.float32)
    chroma = chroma / (chroma.sum(axis=2, keepdims=True) + 30)  # 30: dark pixels have no reliable colour
    edge = np.ones(photo.shape[:2], dtype=bool)
    edge[BORDER_PIXELS:-BORDER_PIXELS, BORDER_PIXELS:-BORDER_PIXELS] = False
    centre = np.median(chroma[edge], axis=0)
    distance = np.abs(chroma - centre).sum(axis=2)
    spread = float(np.median(distance[edge]))
    parts, count = ndimage.label(ndimage.binary_opening(distance > max(4 * spread, 0.04), iterations=2))
    if count == 0:
        return None
    largest = int(np.argmax(np.bincount(parts.ravel())[1:])) + 1
    leaf = ndimage.binary_fill_holes(ndimage.binary_closing(parts == largest, iterations=3))
    if not MIN_LEAF_SHARE < leaf.mean() < MAX_LEAF_SHARE or leaf[edge].mean() > MAX_BORDER_SHARE:
        return None
    soft = ndimage.gaussian_filter(ndimage.binary_erosion(leaf).astype(np.float32), 1)
    mask: NDArray[np.uint8] = (soft * 255).astype(np.uint8)
    return mask
