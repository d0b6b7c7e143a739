"""The structure of a JPEG (ITU-T T.81, annex B): frame, scans, orientation, and where the picture ends."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from frond._preprocess import exif
from frond._preprocess.errors import CorruptImageError, TooComplexImageError, TruncatedImageError, UnsupportedImageError
from frond._preprocess.outline import Outline

if TYPE_CHECKING:
    from collections.abc import Iterator

# libjpeg's own progressive scripts have 10 scans, 18 for CMYK. A scan of a few bytes costs a pass over all blocks.
MAX_SCANS = 32
MAX_SEGMENTS = 2000  # a colour profile may have 255, the depth and HDR data of a phone as many again

MARKER = re.compile(rb"\xff++([^\x00\xff])", re.DOTALL)  # any number of fill bytes is legal (B.1.1.2)
SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)  # no stuffed byte, fill byte or restart

STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
END_OF_IMAGE, START_OF_SCAN = 0xD9, 0xDA
FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended and progressive Huffman: what cameras and apps write
TABLES = frozenset({0xC4, 0xDB, 0xDD})  # Huffman, quantisation, restart interval
COLOUR_MARKS = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}  # how libjpeg tells YCbCr, RGB, YCCK and CMYK apart
EXIF, EXIF_MARK = 0xE1, b"Exif\0\0"


class Segment(NamedTuple):
    """Where a marker's segment starts and ends; the entropy-coded data of a scan are part of its segment."""

    marker: int
    start: int
    end: int

    def has_mark(self, data: bytes, mark: bytes) -> bool:
        """Whether the payload of an application segment begins so."""
        return data.startswith(mark, self.start + 4, self.end)


def outline(data: bytes) -> Outline:
    """Walk to the end of the picture; what phones append after it (HDR gain maps, videos) is not looked at."""
    segments = list(_segments(data))
    width, height = _dimensions(data, segments)
    if sum(segment.marker == START_OF_SCAN for segment in segments) > MAX_SCANS:
        raise TooComplexImageError(f"The JPEG has more than {MAX_SCANS} scans.")
    blocks = (segment for segment in segments if segment.marker == EXIF and segment.has_mark(data, EXIF_MARK))
    orientation = next((exif.orientation(data[block.start + 4 : block.end]) for block in blocks), exif.UPRIGHT)
    needed = (slice(segment.start, segment.end) for segment in segments if _is_needed(data, segment))
    return Outline(width, height, orientation, (slice(2), *needed))


def _segments(data: bytes) -> Iterator[Segment]:
    position = 2
    for _ in range(MAX_SEGMENTS):
        marker, start = _marker(data, position)
        position = start + 2
        if marker == END_OF_IMAGE:
            yield Segment(marker, start, position)
            return
        if marker not in STANDALONE:
            position = _segment_end(data, position, marker)
            yield Segment(marker, start, position)
    raise TooComplexImageError(f"The JPEG has more than {MAX_SEGMENTS} segments.")


def _marker(data: bytes, position: int) -> tuple[int, int]:
    """The marker at a position, and where it starts behind its fill bytes."""
    match = MARKER.match(data, position)
    if match:
        return match[1][0], match.start(1) - 1
    if not data[position:].strip(b"\xff"):
        raise TruncatedImageError("The JPEG ends before its picture does.")
    raise CorruptImageError("The JPEG has no marker where one must be.")


def _segment_end(data: bytes, position: int, marker: int) -> int:
    (length,) = struct.unpack_from(">H", data, position)
    if length < 2:
        raise CorruptImageError("The JPEG has a segment of an impossible length.")
    end = position + int(length)
    if end > len(data):
        raise TruncatedImageError("The JPEG ends within a segment.")
    if marker != START_OF_SCAN:
        return end
    match = SCAN_END.search(data, end)
    if match is None:
        raise TruncatedImageError("The JPEG ends before its picture does.")
    return match.start()


def _dimensions(data: bytes, segments: list[Segment]) -> tuple[int, int]:
    frames = [index for index, segment in enumerate(segments) if segment.marker in FRAMES]
    scans = [index for index, segment in enumerate(segments) if segment.marker == START_OF_SCAN]
    if not frames:
        raise UnsupportedImageError("The JPEG is neither baseline nor progressive.")
    if len(frames) > 1 or not scans or scans[0] < frames[0]:
        raise CorruptImageError("The JPEG must have one frame and, after it, a scan.")
    bits, height, width = struct.unpack_from(">BHH", data, segments[frames[0]].start + 4)
    if bits != 8:
        raise UnsupportedImageError(f"The JPEG has {bits} bits a sample; only 8 are supported.")
    return width, height


def _is_needed(data: bytes, segment: Segment) -> bool:
    if segment.marker in COLOUR_MARKS:
        return segment.has_mark(data, COLOUR_MARKS[segment.marker])
    return segment.marker in FRAMES | TABLES | {START_OF_SCAN, END_OF_IMAGE}
