"""JPEG: what a walk over its segments accepts and refuses."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from preprocess.errors import CorruptImageError, TooComplexImageError, TruncatedImageError, UnsupportedImageError
from preprocess.header import read_header
from preprocess.jpeg import MAX_SCANS, MAX_SEGMENTS
from tests.unit.preprocess.photos import draw_photo, encode, insert_jpeg_segment, jpeg_segment, tensor

PHOTO = encode(draw_photo(96, 64), "JPEG")
PROGRESSIVE = encode(draw_photo(96, 64), "JPEG", progressive=True)
MP4 = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"mp42", 0, b"isom", b"mp42") + struct.pack(">I4s", 5000, b"mdat")
VIDEO = MP4 + np.random.default_rng(1).bytes(5000 - 8)

# A phone's own, as exiftool documents them: what follows a JPEG's end in photos that people really take.
APPENDED = {
    "Ultra HDR gain map": encode(draw_photo(24, 16), "JPEG"),
    "Google motion photo": VIDEO,
    "Samsung motion photo": b"\x00\x00\x30\x0a\x10\x00\x00\x00MotionPhoto_Data"
    + VIDEO
    + b"SEFH\x6b\x00\x00\x00\x01\x00\x00\x00\x00\x00\x30\x0a\x20\x00\x00\x00\x20\x00\x00\x00\x18\x00\x00\x00SEFT",
    "padding": bytes(4096),
}


def last_scan() -> bytes:
    start = PROGRESSIVE.rindex(b"\xff\xda")
    return PROGRESSIVE[start:-2]


@pytest.mark.parametrize("kind", APPENDED)
def test_what_phones_append_is_accepted_and_changes_nothing(kind: str) -> None:
    assert (tensor(PHOTO + APPENDED[kind]) == tensor(PHOTO)).all()


def test_a_multi_picture_file_is_its_first_picture_and_is_decoded_at_a_fraction_too() -> None:
    first, second = draw_photo(640, 480), draw_photo(64, 48, seed=1)
    photo = encode(first, "MPO", save_all=True, append_images=[second], quality=90)
    assert (tensor(photo) == tensor(encode(first, "JPEG", quality=90))).all()


def test_a_video_that_holds_the_letters_of_a_zip_end_by_chance_is_accepted() -> None:
    assert read_header(PHOTO + VIDEO + b"PK\x05\x06" + VIDEO)


def test_a_cut_off_video_behind_a_whole_photo_is_no_concern() -> None:
    assert (tensor(PHOTO + VIDEO[:1000]) == tensor(PHOTO)).all()


def test_fill_bytes_between_segments_are_legal() -> None:
    assert (tensor(insert_jpeg_segment(PHOTO, b"\xff" * 70_000)) == tensor(PHOTO)).all()


def test_restart_markers_belong_to_the_scan() -> None:
    photo = encode(draw_photo(96, 64), "JPEG", restart_marker_blocks=1)
    assert photo.count(b"\xff\xd3") >= 1
    assert np.abs(tensor(photo) - tensor(PHOTO)).max() == 0


def test_ordinary_progressive_photos_stay_below_the_scan_cap() -> None:
    assert read_header(PROGRESSIVE)
    assert read_header(encode(draw_photo(96, 64).convert("CMYK"), "JPEG", progressive=True))


def test_a_scan_bomb_is_refused() -> None:
    scans = PROGRESSIVE.count(b"\xff\xda")
    assert read_header(PROGRESSIVE[:-2] + last_scan() * (MAX_SCANS - scans) + PROGRESSIVE[-2:])
    with pytest.raises(TooComplexImageError):
        read_header(PROGRESSIVE[:-2] + last_scan() * (MAX_SCANS - scans + 1) + PROGRESSIVE[-2:])


def test_scans_cannot_hide_behind_an_end_marker_inside_a_comment() -> None:
    hidden = jpeg_segment(0xFE, b"\xff\xd9") + last_scan() * MAX_SCANS
    with pytest.raises(TooComplexImageError):
        read_header(PROGRESSIVE[:-2] + hidden + PROGRESSIVE[-2:])


def test_a_flood_of_segments_is_refused() -> None:
    with pytest.raises(TooComplexImageError):
        read_header(insert_jpeg_segment(PHOTO, jpeg_segment(0xFE, b"") * MAX_SEGMENTS))


def test_segments_that_pixels_do_not_need_change_nothing() -> None:
    photo = PHOTO
    for marker, payload in [
        (0xE1, b"Exif\0\0" + bytes(200)),
        (0xE2, b"MPF\0junk"),
        (0xED, b"Photoshop 3.0\0"),
        (0xFE, b"x"),
    ]:
        photo = insert_jpeg_segment(photo, jpeg_segment(marker, payload))
    assert (tensor(photo) == tensor(PHOTO)).all()


def test_a_photo_without_its_end_marker_is_truncated() -> None:
    with pytest.raises(TruncatedImageError):
        read_header(PHOTO[:-2])


def test_a_second_frame_is_corrupt() -> None:
    frame = jpeg_segment(0xC0, struct.pack(">BHHB", 8, 9000, 9000, 3) + bytes(9))
    with pytest.raises(CorruptImageError):
        read_header(insert_jpeg_segment(PHOTO, frame))


def test_a_scan_before_its_frame_is_corrupt() -> None:
    start = PHOTO.index(b"\xff\xc0")
    frame = PHOTO[start : start + 19]
    with pytest.raises(CorruptImageError):
        read_header(PHOTO.replace(frame, b"")[:-2] + frame + PHOTO[-2:])


def test_bytes_where_a_marker_must_be_are_corrupt() -> None:
    with pytest.raises(CorruptImageError):
        read_header(insert_jpeg_segment(PHOTO, jpeg_segment(0xFE, b"") + b"junk"))


def test_a_segment_of_no_length_is_corrupt() -> None:
    with pytest.raises(CorruptImageError):
        read_header(insert_jpeg_segment(PHOTO, b"\xff\xfe\x00\x00"))


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xC9, 0xCB], ids=["lossless", "hierarchical", "arithmetic", "both"])
def test_processes_that_no_camera_uses_are_unsupported(marker: int) -> None:
    frame = PHOTO.index(b"\xff\xc0")
    with pytest.raises(UnsupportedImageError):
        read_header(PHOTO[: frame + 1] + bytes([marker]) + PHOTO[frame + 2 :])


def test_twelve_bits_a_sample_are_unsupported() -> None:
    frame = PHOTO.index(b"\xff\xc0")
    with pytest.raises(UnsupportedImageError):
        read_header(PHOTO[: frame + 4] + b"\x0c" + PHOTO[frame + 5 :])


def test_a_photo_whose_huffman_tables_are_gone_is_corrupt() -> None:
    grey = encode(Image.new("L", (16, 16)), "JPEG")
    table = grey.index(b"\xff\xc4")
    with pytest.raises(CorruptImageError):
        tensor(grey[: table + 5] + b"\xff" * 16 + grey[table + 21 :])
