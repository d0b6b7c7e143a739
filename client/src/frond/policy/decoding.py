"""Opening photos with Pillow; importing this needs the extra `frond[photos]`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from frond._preprocess.header import ContentType

ORIENTATIONS = {  # EXIF 2.32, tag 0x0112 → what turns the stored pixels upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
DECODERS: dict[ContentType, Callable[[io.BytesIO], Image.Image]] = {
    "image/jpeg": JpegImageFile,
    "image/png": PngImageFile,
    "image/webp": WebPImageFile,
}


def opened(photo: bytes, content_type: ContentType) -> Image.Image | None:
    """Not decoded yet; None for a HEIC where pillow-heif is missing. The decoder turns a HEIC upright itself."""
    if content_type != "image/heic":
        return DECODERS[content_type](io.BytesIO(photo))
    try:
        import pillow_heif  # noqa: PLC0415  (the extra)
    except ImportError:
        return None
    return pillow_heif.open_heif(photo).to_pillow()
