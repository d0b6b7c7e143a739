"""Photos that no camera made: real ones damaged in ways that a seed decides, bombs, and polyglots."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from tests.unit.preprocess.heif_files import single, tiled
from tests.unit.preprocess.photos import (
    CONTENT_TYPES,
    ENCODERS,
    draw_photo,
    encode,
    exif_block,
    insert_jpeg_segment,
    insert_png_chunk,
    jpeg_segment,
    png,
    png_chunk,
    webp,
    webp_chunk,
    zip_archive,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

PICTURE = draw_photo(200, 150)
JPEG, PNG, WEBP, HEIC = (
    encode(PICTURE, kind, exif=b"Exif\0\0" + exif_block(6)) for kind in ("JPEG", "PNG", "WEBP", "HEIF")
)
SEEDS = [(encoder(PICTURE), CONTENT_TYPES[name]) for name, encoder in ENCODERS.items()]
SEEDS += [(JPEG, "image/jpeg"), (PNG, "image/png"), (WEBP, "image/webp"), (HEIC, "image/heic")]
DOCUMENTS = [
    zip_archive(),
    b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n",
    b"<html>\n<body>hello</body></html>",
    b"<script>alert(1)</script>",
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    b"<?php system($_GET['c']); ?>",
]
STRUCTURE_BYTES = 700  # where most of a file's structure stands
BOMB_BYTES = 32 * 1024 * 1024


class Mutant(NamedTuple):
    """A photo, what was done to it, and the type that its sender claims."""

    kind: str
    photo: bytes
    content_type: str


def mutant(random: Random) -> Mutant:
    """Another one at each call."""
    photo, content_type = random.choice(SEEDS)
    kind = random.choice(list(DAMAGES))
    damaged = photo
    for _ in range(random.randint(1, 3)):
        damaged = DAMAGES[kind](random, damaged)
    if kind == "type":
        content_type = random.choice([*CONTENT_TYPES.values(), "image/gif", "application/zip", "text/html"])
    if kind == "bomb":
        name = random.choice(list(bombs()))
        damaged, content_type = bombs()[name]
        kind = f"bomb: {name}"
    return Mutant(kind, damaged, content_type)


def place(random: Random, photo: bytes) -> int:
    """Half of all wounds go to the structure."""
    return random.randrange(max(1, min(len(photo), STRUCTURE_BYTES) if random.random() < 0.5 else len(photo)))


def flip_bits(random: Random, photo: bytes) -> bytes:
    damaged = bytearray(photo)
    for _ in range(random.choice([1, 2, 16])):
        damaged[place(random, photo)] ^= 1 << random.randrange(8)
    return bytes(damaged)


def truncate(random: Random, photo: bytes) -> bytes:
    return photo[: place(random, photo) + 1]


def zero(random: Random, photo: bytes) -> bytes:
    start, length = place(random, photo), random.choice([1, 4, 32, 512])
    return photo[:start] + bytes(min(length, len(photo) - start)) + photo[start + length :]


def double(random: Random, photo: bytes) -> bytes:
    start, length = place(random, photo), random.choice([1, 4, 64, 1024])
    return photo[: start + length] + photo[start:]


def overwrite_number(random: Random, photo: bytes) -> bytes:
    """Lengths, offsets and dimensions are such numbers."""
    start = place(random, photo)
    number = random.choice([0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, random.getrandbits(32)])
    number_bytes = struct.pack(random.choice("<>") + "I", number)[: random.choice([2, 4])]
    return photo[:start] + number_bytes + photo[start + len(number_bytes) :]


def graft(random: Random, photo: bytes) -> bytes:
    """The start of one kind, the rest of another."""
    other, _ = random.choice(SEEDS)
    cut = random.choice([4, 12, 64, len(photo) // 2])
    return photo[:cut] + other[cut:]


def hide_document(random: Random, photo: bytes) -> bytes:
    document = random.choice(DOCUMENTS)
    match random.randrange(3):
        case 0:
            return photo + document
        case 1:
            return document + photo
    if photo.startswith(b"\xff\xd8"):
        return insert_jpeg_segment(photo, jpeg_segment(0xFE, document))
    return insert_png_chunk(photo, png_chunk(b"tEXt", b"Comment\0" + document))


def noise(random: Random, photo: bytes) -> bytes:
    start = place(random, photo)
    return photo[:start] + random.randbytes(random.choice([1, 16, 4096]))


def untouched(_random: Random, photo: bytes) -> bytes:
    return photo


DAMAGES: dict[str, Callable[[Random, bytes], bytes]] = {
    "bits flipped": flip_bits,
    "truncated": truncate,
    "zeroed": zero,
    "doubled": double,
    "number": overwrite_number,
    "graft": graft,
    "polyglot": hide_document,
    "noise": noise,
    "type": untouched,
    "bomb": untouched,
}


def oversized_jpeg() -> bytes:
    """The frame header says 65500 × 65500."""
    frame = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:frame] + struct.pack(">HH", 65500, 65500) + JPEG[frame + 4 :]


def zeros(length: int) -> bytes:
    return zlib.compress(bytes(length), 9)


@cache
def bombs() -> dict[str, tuple[bytes, str]]:
    """By name: small files that would be large pictures, or much work, with their types."""
    return {
        "jpeg of 4 gigapixels": (oversized_jpeg(), "image/jpeg"),
        "png of 4 gigapixels": (png(65500, 65500, 8, 2, bytes(1000)), "image/png"),
        "png that inflates to far more than its pixels": (png(16, 16, 8, 2, bytes(BOMB_BYTES)), "image/png"),
        "png with a colour profile that inflates": (
            insert_png_chunk(PNG, png_chunk(b"iCCP", b"p\0\0" + zeros(BOMB_BYTES))),
            "image/png",
        ),
        "png with a text that inflates": (
            insert_png_chunk(PNG, png_chunk(b"zTXt", b"t\0\0" + zeros(BOMB_BYTES))),
            "image/png",
        ),
        "png of 16 megapixels in few bytes": (png(4000, 4000, 8, 0, bytes(4001 * 4000)), "image/png"),
        "png of ten thousand empty chunks": (insert_png_chunk(PNG, png_chunk(b"zzZz", b"") * 10_000), "image/png"),
        "webp with a canvas of 268 gigapixels": (
            webp(webp_chunk(b"VP8X", bytes(4) + b"\xff" * 6), WEBP[12:]),
            "image/webp",
        ),
        "heic that claims 4 gigapixels": (single(65535, 65535).build(), "image/heic"),
        "heic grid that claims 4 gigapixels": (tiled(2, 2, 65535, 65535).build(), "image/heic"),
        "heic grid of 65025 tiles": (tiled(255, 255, 255 * 64, 255 * 64).build(), "image/heic"),
        "nothing": (b"", "image/jpeg"),
    }
