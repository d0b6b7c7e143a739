"""The `Authorization` header of a request → the caller, for every route that acts for a user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import GatewayError, TokenMissingError, UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from gateway.auth.protocols import Caller
    from gateway.auth.service import TokenVerifier


async def identify(headers: Iterable[tuple[bytes, bytes]], verifier: TokenVerifier) -> Caller:
    """Raises an auth error, or `KeysUnavailableError`."""
    values = [value for name, value in headers if name == b"authorization"]
    if not values:
        raise TokenMissingError("The Authorization header is missing.")
    scheme, _, token = values[0].decode("latin-1").partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer" or not token or " " in token:
        raise UnauthenticatedError("There must be one Authorization header: Bearer and the token.")
    return await verifier.verify(token)


def caller_of(request: Request) -> Caller:
    """Whom `gateway.unauthenticated` found out before anything else was done; raises what is wrong with the token."""
    identity: Caller | GatewayError = request.state.identity
    if isinstance(identity, GatewayError):
        raise identity
    return identity
