"""The error codes that may be a metric's label: what the service answers with, and what its SDK makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import GatewayError
from preprocess.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Made by the SDK; a test holds them to its source.
CLIENT_CODES = frozenset(
    {
        "answer_invalid",
        "client_closed",
        "client_in_use",
        "client_unconfigured",
        "connect_timeout",
        "connection_failed",
        "connection_lost",
        "device_failed",
        "device_timeout",
        "device_unavailable",
        "photo_unreadable",
        "request_unsendable",
        "timeout_invalid",
        "token_unavailable",
        "token_unfit",
        "url_invalid",
    }
)


def codes_below(kind: type[Exception]) -> Iterator[str]:
    """Of its subclasses that fix one."""
    for child in kind.__subclasses__():
        code = getattr(child, "code", None)
        if isinstance(code, str):
            yield code
        yield from codes_below(child)


KNOWN_CODES = CLIENT_CODES | {*codes_below(GatewayError), *codes_below(ImageError)}
