"""`multipart/form-data` (RFC 7578) parsed as it arrives: a part `request` and parts `images`, each under its cap."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from frond.types import MAX_IMAGE_BYTES, MAX_IMAGES
from gateway.diagnoses.protocols import Photo
from gateway.errors import BodyTooLargeError, ImageCountError, ImageTooLargeError, MalformedRequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

MAX_DETAILS_BYTES = 64 * 1024  # the JSON of eight photos has 2 KB
FRAMING_BYTES = 64 * 1024  # boundaries and headers of nine parts
MAX_MULTIPART_BYTES = MAX_IMAGES * MAX_IMAGE_BYTES + MAX_DETAILS_BYTES + FRAMING_BYTES
# A type that says nothing: what clients send that know none.
UNDECLARED_TYPES = frozenset({"", "application/octet-stream"})


@dataclass(slots=True)
class Part:
    """One part on its way in. The hash grows with it, so that no large photo holds up other requests at the end."""

    headers: dict[str, str] = field(default_factory=dict)
    name: str = ""
    label: str = "request"  # for the caller, who shall know which of the images
    max_bytes: int = 0
    size_bytes: int = 0
    content: bytearray = field(default_factory=bytearray)  # not a list: a client decides how small the pieces are
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, piece: bytes) -> None:
        self.size_bytes += len(piece)
        if self.size_bytes > self.max_bytes:
            error = ImageTooLargeError if self.name == "images" else BodyTooLargeError
            raise error(f"The part {self.label} may have at most {self.max_bytes} bytes.")
        self.content += piece
        if self.name == "images":
            self.digest.update(piece)

    def photo(self) -> Photo:
        declared, _ = parse_options_header(self.headers.get("content-type"))
        name = declared.decode("latin-1")
        return Photo(
            sha256=self.digest.hexdigest(),
            size_bytes=self.size_bytes,
            declared_type=None if name in UNDECLARED_TYPES else name,
            content=bytes(self.content),
        )


class Form:
    """Receives the parser's events; what it holds is complete once `ended`."""

    def __init__(self) -> None:
        self.details: bytes | None = None
        self.photos: list[Photo] = []
        self.ended = False
        self._part = Part()
        self._header_name = b""
        self._header_value = b""

    def parser(self, boundary: bytes) -> MultipartParser:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._name_header,
                "on_header_value": self._fill_header,
                "on_header_end": self._end_header,
                "on_headers_finished": self._place,
                "on_part_data": self._fill,
                "on_part_end": self._finish,
                "on_end": self._end,
            },
        )

    def _begin(self) -> None:
        self._part = Part()

    def _name_header(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _fill_header(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._part.headers[self._header_name.decode("latin-1").lower()] = self._header_value.decode("latin-1")
        self._header_name = self._header_value = b""

    def _place(self) -> None:
        _, options = parse_options_header(self._part.headers.get("content-disposition"))
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._part.name == "request" and self.details is None:
            self._part.max_bytes = MAX_DETAILS_BYTES
        elif self._part.name == "images":
            if len(self.photos) == MAX_IMAGES:
                raise ImageCountError(f"A request may have at most {MAX_IMAGES} photos.")
            self._part.label = f"images[{len(self.photos)}]"
            self._part.max_bytes = MAX_IMAGE_BYTES
        else:
            raise MalformedRequestError("The parts are one request and the images; there is another one.")

    def _fill(self, data: bytes, start: int, end: int) -> None:
        self._part.add(data[start:end])

    def _finish(self) -> None:
        if self._part.name == "images":
            self.photos.append(self._part.photo())
        else:
            self.details = bytes(self._part.content)

    def _end(self) -> None:
        self.ended = True


async def parse(content_type: str, body: AsyncIterable[bytes]) -> tuple[bytes, list[Photo]]:
    """The JSON of the part `request`, and the photos in their order."""
    _, options = parse_options_header(content_type)
    form = Form()
    try:
        parser = form.parser(options.get(b"boundary", b""))
        async for chunk in body:
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise MalformedRequestError("The body is no multipart/form-data.") from error
    if not form.ended:
        raise MalformedRequestError("The body ends before its last boundary.")
    if form.details is None:
        raise MalformedRequestError("The part request is missing.")
    if not form.photos:
        raise ImageCountError("There is no part images.")
    return form.details, form.photos
