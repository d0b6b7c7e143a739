"""The one client of a program that wants no more than one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from frond import forking
from frond.client import CloudInferenceClient
from frond.errors import CloudValidationError

if TYPE_CHECKING:
    from frond.configuration import ClientOptions
    from frond.tokens import TokenSource

_lock = forking.Lock()
_client: CloudInferenceClient | None = None


def get_cloud_inference_client(
    base_url: str | None = None,
    token: TokenSource | None = None,
    *,
    refresh_token: TokenSource | None = None,
    options: ClientOptions | None = None,
) -> CloudInferenceClient:
    """The program's client, made at the first call; what is not named then comes from `FROND_URL` and `FROND_TOKEN`.

    Later calls answer with the same one whatever they name. Raises `CloudValidationError` where something is missing.
    """
    global _client  # noqa: PLW0603  (what the function is for)
    with _lock:
        if _client is None:
            _client = CloudInferenceClient(
                base_url or _from_environment("FROND_URL"),
                token or _from_environment("FROND_TOKEN"),
                refresh_token=refresh_token,
                options=options,
            )
        return _client


def reset_cloud_inference_client() -> None:
    """Close the program's client, if there is one; the next `get_cloud_inference_client` makes another."""
    global _client
    with _lock:
        client, _client = _client, None
    if client is not None:
        client.close()


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise CloudValidationError(f"Name it at the first call, or set {name}.", code="client_unconfigured")
    return value
