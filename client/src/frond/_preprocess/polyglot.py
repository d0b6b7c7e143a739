"""Whether a photo is a document of another kind as well: an archive, a PDF, a web page or a script.

What phones append to a photo (a second JPEG, an MP4, a maker's own trailer) is none of these. The signs are long enough
that compressed data do not show them by chance: below one in a hundred million for a photo of 20 MB.
"""

from __future__ import annotations

import re
import struct

from frond._preprocess.errors import PolyglotImageError

# PKWARE APPNOTE 4.3.16: the end record is 22 bytes and a comment of at most 65,535; readers look for it from the end.
ZIP_END_RECORD = b"PK\x05\x06"
ZIP_END_BYTES = 22
ZIP_TAIL_BYTES = ZIP_END_BYTES + 65_535
ZIP_DIRECTORY_ENTRY = b"PK\x01\x02"
ZIP64_LOCATOR, ZIP64_LOCATOR_BYTES = b"PK\x06\x07", 20

PDF = re.compile(rb"%PDF-\d\.\d")
# Text must follow: five letters alone turn up in megabytes of compressed data.
ACTIVE_CONTENT = re.compile(
    rb"<(?:!doctype\s+html|(?:html|script|svg|\?php)[\s>][\t\n\r -~]{8})",
    re.IGNORECASE,
)


def refuse_polyglot(data: bytes) -> None:
    """Raise `PolyglotImageError` for a photo that is something else, too."""
    if _is_zip(data):
        raise PolyglotImageError("The photo is a ZIP archive as well.")
    if PDF.search(data):
        raise PolyglotImageError("The photo is a PDF as well.")
    if ACTIVE_CONTENT.search(data):
        raise PolyglotImageError("The photo contains a web page or a script.")


def _is_zip(data: bytes) -> bool:
    """Whether an archive's end record stands near the end and points at its directory.

    The four letters alone are in one of 65,000 videos by chance.
    """
    tail = max(0, len(data) - ZIP_TAIL_BYTES)
    record = data.rfind(ZIP_END_RECORD, tail)
    while record >= 0:
        if _ends_archive(data, record):
            return True
        record = data.rfind(ZIP_END_RECORD, tail, record)
    return False


def _ends_archive(data: bytes, record: int) -> bool:
    if len(data) < record + ZIP_END_BYTES:
        return False
    entries, directory_bytes = struct.unpack_from("<HI", data, record + 10)
    if data.startswith(ZIP64_LOCATOR, max(0, record - ZIP64_LOCATOR_BYTES)):
        return True
    directory = record - directory_bytes
    return entries > 0 and directory >= 0 and data.startswith(ZIP_DIRECTORY_ENTRY, directory)
