"""Encoded photo → uint8 tensor: scaled decoding, square crop, resize, orientation last."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from frond._preprocess.errors import CorruptImageError, ImageError, TruncatedImageError
from frond._preprocess.header import ContentType, Limits, inspect

if TYPE_CHECKING:
    from collections.abc import Callable

    from frond._preprocess.outline import Outline

ImageTensor: TypeAlias = NDArray[np.uint8]
"""uint8 [size, size, 3]: RGB, 0 to 255, rows from the top of the photo as a person sees it."""

# The classes themselves, not Image.open: that would also parse EXIF, MPF and profiles, warn about them, and look for
# plugins that others registered.
DECODERS: dict[ContentType, Callable[[io.BytesIO], Image.Image]] = {
    "image/jpeg": JpegImageFile,
    "image/png": PngImageFile,
    "image/webp": WebPImageFile,
}
# A JPEG is decoded at the smallest of 1, 1/2, 1/4, 1/8 that leaves this many pixels a pixel of the tensor's side.
# Against a full decode field photos then differ by at most 0.23 of 255 in the mean; at 2 by 0.35 (decision 0003).
MIN_OVERSAMPLING = 2.25
RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
ORIENTATIONS = {  # EXIF 2.32, tag 0x0112 → what turns the stored pixels upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PALETTE_MODES = frozenset({"1", "P"})
ALPHA_MODES = frozenset({"LA", "La", "RGBA", "RGBa"})

# Only the photo itself is wanted. One thread a photo: callers decode several at once, and no more than they have cores.
pillow_heif.options.DECODE_THREADS = 1
pillow_heif.options.THUMBNAILS = False
pillow_heif.options.DEPTH_IMAGES = False
pillow_heif.options.AUX_IMAGES = False


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a model version wants its input; stored in the version's `preprocess.json`.

    `size`: height and width of the tensor in pixels. `crop_fraction`: the share of the photo's shorter side that the
    centred square keeps.
    """

    size: int
    crop_fraction: float = 1.0
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 2048:
            raise ValueError(f"size is {self.size}; it must be between 16 and 2048 pixels")
        if not 0.1 <= self.crop_fraction <= 1:
            raise ValueError(f"crop_fraction is {self.crop_fraction}; it must be between 0.1 and 1")
        if self.interpolation not in RESAMPLING:
            raise ValueError(f"interpolation is {self.interpolation!r}; it must be one of {sorted(RESAMPLING)}")


def to_tensor(photo: bytes, preprocessing: Preprocessing, limits: Limits = Limits()) -> ImageTensor:
    """Decode a JPEG, PNG, WebP or HEIC into uint8 [size, size, 3]. Safe to call from several threads at once.

    ICC profiles are not applied; transparency is laid on white; of an animation the first frame counts. Raises an
    `ImageError` for a photo that is too large, cut off, broken or of another kind, and nothing else whatever the bytes,
    except `MemoryError`, which says nothing about them.
    """
    content_type, outline = inspect(photo, limits)
    try:
        return np.asarray(_square(_open(photo, content_type, outline), outline, preprocessing))
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # decoders raise a dozen types on hostile bytes; each is a fact about the bytes
        reason = str(error).lower()
        if "truncated" in reason or "end of file" in reason:
            raise TruncatedImageError("The photo ends before its last pixel.") from error
        raise CorruptImageError("The photo cannot be decoded.") from error


def _open(photo: bytes, content_type: ContentType, outline: Outline) -> Image.Image:
    pixel_bytes = outline.pixel_bytes(photo)
    if content_type == "image/heic":
        return _open_heic(pixel_bytes)
    image = DECODERS[content_type](io.BytesIO(pixel_bytes))
    if image.size != (outline.width, outline.height):  # no file is known to do this; the caps rest on it
        raise CorruptImageError("The photo's header and its pixels disagree on its dimensions.")
    return image


def _open_heic(photo: bytes) -> Image.Image:
    """Decode; without `to_pillow`, which would parse the EXIF data."""
    file = pillow_heif.open_heif(photo, convert_hdr_to_8bit=True)
    image = file[file.primary_index]
    image.load()
    return Image.frombuffer(image.mode, image.size, image.data, "raw", image.mode, image.stride, 1)


def _square(image: Image.Image, outline: Outline, preprocessing: Preprocessing) -> Image.Image:
    size = preprocessing.size
    width, height = _draft(image, preprocessing)
    side = min(width, height) * preprocessing.crop_fraction
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    image.load()
    square = _opaque(_resizable(image).resize((size, size), RESAMPLING[preprocessing.interpolation], box))
    orientation = ORIENTATIONS.get(outline.orientation)
    return square if orientation is None else square.transpose(orientation)


def _draft(image: Image.Image, preprocessing: Preprocessing) -> tuple[float, float]:
    """Let a JPEG decode at a fraction of its size; answer the size of what will be decoded.

    A fraction of a pixel counts: 3001 rows at 1/8 are 375.125 rows of photo in 376 rows of pixels.
    """
    width, height = image.size
    if not isinstance(image, JpegImageFile):
        return width, height
    scale = MIN_OVERSAMPLING * preprocessing.size / (min(width, height) * preprocessing.crop_fraction)
    draft = image.draft(None, (math.ceil(width * scale), math.ceil(height * scale)))
    return draft[1][2:] if draft else (width, height)


def _resizable(image: Image.Image) -> Image.Image:
    """The same pixels in a mode whose values can be interpolated; Pillow itself weights colours by their opacity."""
    if image.mode not in PALETTE_MODES and not (image.mode in {"L", "RGB"} and image.has_transparency_data):
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _opaque(image: Image.Image) -> Image.Image:
    """RGB of 8 bits a channel; called after the resize, when there are few pixels left."""
    if image.mode == "I;16":
        image = Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))  # 257 = 65535 / 255
    if image.mode in ALPHA_MODES:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
