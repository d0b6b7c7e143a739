"""Pictures drawn by code, their encodings, and the surgery on files that the tests share."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from preprocess.tensor import Preprocessing, to_tensor

if TYPE_CHECKING:
    from collections.abc import Callable

Pixels: TypeAlias = NDArray[np.int16]

SMALL = Preprocessing(32)
CORNERS = {
    "top left": (220, 40, 40),
    "top right": (40, 200, 60),
    "bottom left": (40, 60, 210),
    "bottom right": (230, 220, 60),
}
PNG_SIGNATURE_BYTES = 8


def draw_photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """RGB with what a leaf photo has: soft light, edges, thin veins, saturated spots and a sensor's grain."""
    random = np.random.default_rng(seed)
    light = Image.fromarray(random.integers(40, 190, (6, 8, 3), dtype=np.uint8))
    picture = light.resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    unit = max(width, height) / 400
    for _ in range(60):
        x, y = random.uniform(0, width), random.uniform(0, height)
        radius = random.uniform(2, 30) * unit
        colour = (int(random.integers(20, 230)), int(random.integers(20, 230)), int(random.integers(20, 120)))
        draw.ellipse((x - radius, y - radius / 2, x + radius, y + radius / 2), fill=colour)
        draw.line(
            (x, y, random.uniform(0, width), random.uniform(0, height)), fill=(120, 150, 80), width=max(1, int(unit))
        )
    picture = picture.filter(ImageFilter.GaussianBlur(unit))
    grain = random.normal(0, 2, (height, width, 1)).astype(np.float32)
    return Image.fromarray((np.asarray(picture, dtype=np.float32) + grain).clip(0, 255).astype(np.uint8))


def draw_corners(size: int = 64) -> Image.Image:
    """A square whose four quarters tell where up and left are."""
    half = size // 2
    picture = Image.new("RGB", (size, size))
    for index, colour in enumerate(CORNERS.values()):
        picture.paste(
            colour, (half * (index % 2), half * (index // 2), half * (index % 2 + 1), half * (index // 2 + 1))
        )
    return picture


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Encode as Pillow's `kind`, or as HEIF by pillow-heif."""
    encoded = io.BytesIO()
    if kind == "HEIF":
        pillow_heif.from_pillow(picture).save(encoded, quality=90, **options)
    else:
        picture.save(encoded, kind, **options)
    return encoded.getvalue()


ENCODERS: dict[str, Callable[[Image.Image], bytes]] = {
    "jpeg": lambda picture: encode(picture, "JPEG", quality=95, subsampling=0),
    "progressive jpeg": lambda picture: encode(picture, "JPEG", quality=95, subsampling=0, progressive=True),
    "png": lambda picture: encode(picture, "PNG"),
    "webp": lambda picture: encode(picture, "WEBP", quality=95),
    "lossless webp": lambda picture: encode(picture, "WEBP", lossless=True),
    "heic": lambda picture: encode(picture, "HEIF", chroma=444),
    "tiled heic": lambda picture: encode(picture, "HEIF", chroma=444, tile_size=64),
}
CONTENT_TYPES = {
    "jpeg": "image/jpeg",
    "progressive jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "lossless webp": "image/webp",
    "heic": "image/heic",
    "tiled heic": "image/heic",
}


def tensor(photo: bytes, preprocessing: Preprocessing = SMALL) -> Pixels:
    """The tensor as signed numbers, which can be subtracted."""
    return to_tensor(photo, preprocessing).astype(np.int16)


def corner_colours(pixels: Pixels) -> list[str]:
    """Which quarter of `draw_corners` stands in each corner: top left, top right, bottom left, bottom right."""
    eighth = len(pixels) // 8
    names, colours = list(CORNERS), np.array(list(CORNERS.values()))
    spots = [pixels[row, column] for row in (eighth, -eighth) for column in (eighth, -eighth)]
    return [names[int(np.abs(colours - spot).sum(axis=1).argmin())] for spot in spots]


def exif_block(orientation: int) -> bytes:
    """A TIFF structure, as EXIF holds it, with the orientation alone."""
    return struct.pack("<4sIHHHIHHI", b"II*\0", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png(width: int, height: int, depth: int, colour_type: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG of raw rows, each with its filter byte; `extra` chunks stand before the pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + pixels + png_chunk(b"IEND", b"")


def insert_png_chunk(photo: bytes, chunk: bytes) -> bytes:
    """A PNG with one more chunk right after its header."""
    end_of_header = PNG_SIGNATURE_BYTES + 25
    return photo[:end_of_header] + chunk + photo[end_of_header:]


def jpeg_segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def insert_jpeg_segment(photo: bytes, segment: bytes) -> bytes:
    """A JPEG with one more segment right after its first marker."""
    return photo[:2] + segment + photo[2:]


def webp_chunk(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2)


def webp(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def zip_archive(content: bytes = b"payload") -> bytes:
    """A real archive with one file."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", content)
    return archive.getvalue()
