"""Bodies and messages that come or go compressed (gzip or zlib), unpacked under a cap as they arrive."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Literal

from gateway.errors import BodyTooLargeError, MalformedRequestError, UnsupportedBodyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    Coding = Literal["gzip", "deflate"]

IDENTITY = "identity"
CODINGS: tuple[Coding, ...] = ("gzip", "deflate")  # "deflate" is zlib's format (RFC 9110, section 8.4.1.2)
GZIP_OR_ZLIB = zlib.MAX_WBITS + 32  # as zlib's manual has it for inflateInit2: the format is told from its first bytes
GZIP_WINDOW = zlib.MAX_WBITS + 16
BLOCK_BYTES = 1024 * 1024  # some milliseconds; and a bomb of 1 KiB is found out after this
PIECE_BYTES = 64 * 1024
LEVEL = 1  # tensors hardly shrink more with a higher one, and it takes five times as long
WORTHWHILE_BYTES = 1024  # less fits into one packet anyway


def is_packed(body_coding: str) -> bool:
    """Of a Content-Encoding. Raises `UnsupportedBodyError` for one that is not known here."""
    coding = body_coding.strip().lower()
    if coding not in {IDENTITY, *CODINGS}:
        raise UnsupportedBodyError("Content-Encoding must be gzip, deflate or identity.")
    return coding != IDENTITY


def looks_packed(message: bytes) -> bool:
    """gRPC's flag does not come through to Python. No message of the protocol begins with a byte of these: the one is
    no tag of protobuf's, the other that of a field 15.
    """
    return message[:1] in {b"\x1f", b"\x78"}


async def unpack(pieces: AsyncIterator[bytes], max_bytes: int, take: Callable[[int], None]) -> bytes:
    """Never unpacks more than one block beyond `max_bytes`, whatever the pieces hold; `take` is told of each block.

    Raises `BodyTooLargeError`, `MalformedRequestError` for what is cut off, damaged or followed by more, and what
    `take` raises.
    """
    unpacker = zlib.decompressobj(GZIP_OR_ZLIB)
    content = bytearray()
    async for piece in pieces:
        block = None
        while block is None or len(block) == BLOCK_BYTES:  # a full one: there may be more, in the tail or in zlib
            block = await _inflate(unpacker, piece if block is None else unpacker.unconsumed_tail)
            take(len(block))
            content += block
            if len(content) > max_bytes:
                raise BodyTooLargeError(f"Unpacked the body may have at most {max_bytes} bytes.")
        if unpacker.unused_data:
            raise MalformedRequestError("There is something behind the compressed body.")
    if not unpacker.eof:
        raise MalformedRequestError("The compressed body is cut off.")
    return bytes(content)


async def _inflate(unpacker: zlib._Decompress, piece: bytes) -> bytes:
    """In a thread: zlib gives up the interpreter's lock."""
    try:
        return await asyncio.to_thread(unpacker.decompress, piece, BLOCK_BYTES)
    except zlib.error as error:
        raise MalformedRequestError("The body is no gzip or zlib data, although it says so.") from error


async def in_pieces(message: bytes) -> AsyncIterator[bytes]:
    """Small ones: what zlib has not come to yet it copies, block after block."""
    for start in range(0, len(message), PIECE_BYTES):
        yield message[start : start + PIECE_BYTES]


async def pack(content: bytes, coding: Coding) -> bytes:
    return await asyncio.to_thread(_deflate, content, GZIP_WINDOW if coding == "gzip" else zlib.MAX_WBITS)


def _deflate(content: bytes, window: int) -> bytes:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, window)
    return packer.compress(content) + packer.flush()


def wanted(accept_encoding: str, size_bytes: int) -> Coding | None:
    """Of an Accept-Encoding (RFC 9110, section 12.5.3) the coding that weighs most, where it is worth the time."""
    weights = dict(_weights(accept_encoding))
    best = max(CODINGS, key=lambda coding: weights.get(coding, 0.0))
    return best if size_bytes >= WORTHWHILE_BYTES and weights.get(best, 0.0) > 0 else None


def _weights(accept_encoding: str) -> Iterator[tuple[str, float]]:
    for each in accept_encoding.lower().split(","):
        coding, _, parameter = each.partition(";")
        name, _, value = parameter.partition("=")
        try:
            yield coding.strip(), float(value) if name.strip() == "q" else 1.0
        except ValueError:
            yield coding.strip(), 0.0
