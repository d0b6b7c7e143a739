"""What a walk over a photo's structure finds, whatever its format, without decoding a pixel."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outline:
    """`width` and `height` in stored pixels; `orientation` as in EXIF, 1 to 8, is what the decoder leaves to be done.

    `pixel_parts` are the spans of the bytes that hold pixels and what decoding them needs; only these go to a decoder.
    `tile_pixels`: pixels of all tiles together, where the photo is made of tiles.
    """

    width: int
    height: int
    orientation: int
    pixel_parts: tuple[slice, ...]
    tile_pixels: int = 0

    def pixel_bytes(self, photo: bytes) -> bytes:
        """The photo again, less all that decoding does not need."""
        return b"".join(photo[part] for part in self.pixel_parts)
