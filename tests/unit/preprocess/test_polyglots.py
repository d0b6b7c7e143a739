"""Photos that are another document as well are refused; what merely looks like one by chance is not."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest

from preprocess.errors import PolyglotImageError
from preprocess.header import Limits, inspect
from preprocess.tensor import Preprocessing, to_tensor
from tests.unit.preprocess.heif_files import box
from tests.unit.preprocess.photos import (
    draw_photo,
    encode,
    insert_jpeg_segment,
    insert_png_chunk,
    jpeg_segment,
    png_chunk,
    webp,
    webp_chunk,
    zip_archive,
)

PICTURE = draw_photo(96, 64)
JPEG, PNG, WEBP, HEIC = (encode(PICTURE, kind) for kind in ("JPEG", "PNG", "WEBP", "HEIF"))
LIMITS = Limits()
NOISE = np.random.default_rng(3).bytes(200_000)

DOCUMENTS = {
    "ZIP": zip_archive(),
    "ZIP with a comment": zip_archive()[:-2] + struct.pack("<H", 40_000) + b"c" * 40_000,
    "PDF": b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n",
    "HTML": b"<html>\n<body>hello</body></html>",
    "doctype": b"<!DOCTYPE  html><title>x</title>",
    "script": b"<SCRIPT src='https://example.com/x.js'></SCRIPT>",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "PHP": b"<?php system($_GET['c']); ?>",
}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_behind_a_jpeg_is_refused(document: str) -> None:
    with pytest.raises(PolyglotImageError):
        inspect(JPEG + DOCUMENTS[document], LIMITS)


def test_nobody_decodes_a_photo_that_is_a_document_as_well() -> None:
    with pytest.raises(PolyglotImageError):
        to_tensor(JPEG + DOCUMENTS["PDF"], Preprocessing(size=16))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_behind_a_heic_is_refused(document: str) -> None:
    with pytest.raises(PolyglotImageError):
        inspect(HEIC + box(b"free", DOCUMENTS[document]), LIMITS)


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if "ZIP" not in name])
def test_a_document_inside_the_metadata_is_refused(document: str) -> None:
    content = DOCUMENTS[document]
    for photo in (
        insert_jpeg_segment(JPEG, jpeg_segment(0xFE, content)),
        insert_jpeg_segment(JPEG, jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + content)),
        insert_png_chunk(PNG, png_chunk(b"tEXt", b"Comment\0" + content)),
        webp(WEBP[12:], webp_chunk(b"XMP ", content)),
    ):
        with pytest.raises(PolyglotImageError):
            inspect(photo, LIMITS)


def test_an_archive_that_ends_inside_the_last_chunk_of_a_png_is_refused() -> None:
    photo = PNG[:-12] + png_chunk(b"zzZz", zip_archive()) + PNG[-12:]
    assert zipfile.ZipFile(io.BytesIO(photo)).namelist() == ["a.txt"]
    with pytest.raises(PolyglotImageError):
        inspect(photo, LIMITS)


def test_an_archive_with_large_offsets_is_refused() -> None:
    locator = b"PK\x06\x07" + bytes(16)
    end = b"PK\x05\x06" + b"\xff" * 16 + bytes(2)
    with pytest.raises(PolyglotImageError):
        inspect(JPEG + locator + end, LIMITS)


@pytest.mark.parametrize(
    "chance",
    [b"PK\x05\x06", b"PK\x03\x04", b"%PDF-", b"<html", b"<script", b"<?php", b"<svg>\x00\x9c", b"<SCRIPT \x80"],
)
def test_letters_that_turn_up_in_a_video_by_chance_are_accepted(chance: bytes) -> None:
    assert inspect(JPEG + NOISE + chance + NOISE[:500], LIMITS)


def test_an_ordinary_xmp_packet_is_accepted() -> None:
    packet = (
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description dc:format="image/jpeg"/>'
        b'</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )
    assert inspect(insert_jpeg_segment(JPEG, jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)), LIMITS)
