"""The `Authorization` header of a request → the caller: a dependency of every route that acts for a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from gateway.auth.protocols import Caller
from gateway.errors import TokenMissingError, UnauthenticatedError

if TYPE_CHECKING:
    from gateway.auth.service import TokenVerifier


async def authenticate(request: Request) -> Caller:
    headers = request.headers.getlist("authorization")
    if not headers:
        raise TokenMissingError("The Authorization header is missing.")
    scheme, _, token = headers[0].partition(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not token or not token.isascii() or " " in token:
        raise UnauthenticatedError("There must be one Authorization header: Bearer and the token.")
    verifier: TokenVerifier = request.state.verifier
    return verifier.verify(token)


AuthenticatedCaller = Annotated[Caller, Depends(authenticate)]
