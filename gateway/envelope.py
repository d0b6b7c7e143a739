"""The envelope of every answer, and the one place that renders errors into it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from frond.types import DiagnosisResponse, Error
from gateway.allowance import headers_of
from gateway.errors import GatewayError, InvalidRequestError, MethodNotAllowedError, NotFoundError, RateLimitedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI
    from pydantic_core import ErrorDetails
    from starlette.requests import Request

    from frond.types import Diagnosis

JSON = "application/json"
MAX_FINDINGS = 5
PROTOCOL_PATH = "/v2/"
MAX_NAME_CHARACTERS = 100
METHODS = ("GET", "HEAD", "POST", "PUT")


def success_body(request_id: str, result: Diagnosis) -> bytes:
    return DiagnosisResponse(success=True, request_id=request_id, result=result).model_dump_json(by_alias=True).encode()


def failure_body(request_id: str, error: GatewayError) -> bytes:
    return (
        DiagnosisResponse(success=False, request_id=request_id, error=wire_error(error))
        .model_dump_json(by_alias=True)
        .encode()
    )


def wire_error(error: GatewayError) -> Error:
    return Error(
        category=error.category,
        code=error.code,
        message=str(error),
        retryable=error.retryable,
        retry_after_ms=error.retry_after_ms,
    )


def failure_response(request_id: str, error: GatewayError, path: str = "") -> Response:
    """In the contract's envelope; at the paths of the Open Inference Protocol as that has it."""
    if f"{path}/".startswith(PROTOCOL_PATH):
        body, status = json.dumps({"error": str(error)}).encode(), 400 if error.status == 422 else error.status
    else:
        body, status = failure_body(request_id, error), error.status
    response = Response(body, status, media_type=JSON)
    if error.retry_after_ms is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after_ms / 1000))  # RFC 9110 knows whole seconds
    if isinstance(error, RateLimitedError):
        response.headers.update(headers_of(error.allowance))
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def describe(details: Sequence[ErrorDetails]) -> str:
    """pydantic's findings: the field and what is wrong with it, never the value."""
    return "; ".join(f"{field_of(detail)}: {detail['msg']}" for detail in details[:MAX_FINDINGS])


def field_of(detail: ErrorDetails) -> str:
    """An unknown field has the name that its sender chose, at any length."""
    return ".".join(str(name)[:MAX_NAME_CHARACTERS] for name in detail["loc"]) or "request"


def install(app: FastAPI) -> None:
    """Render what routes raise, and what Starlette and FastAPI raise of their own."""

    async def on_gateway_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, GatewayError)
        request.state.error = error
        return failure_response(request.state.request_id, error, request.url.path)

    async def on_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = await on_gateway_error(request, from_http(error))
        response.headers.update(error.headers or {})
        if error.status_code == 405:  # Starlette names the methods of the first route at the path alone
            response.headers["Allow"] = ", ".join(allowed_methods(request))
        return response

    async def on_request_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return await on_gateway_error(request, InvalidRequestError(describe(error.errors())))

    app.add_exception_handler(GatewayError, on_gateway_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_request_validation)


def allowed_methods(request: Request) -> list[str]:
    """Those that the request's path knows (RFC 9110, section 15.5.6)."""
    scopes = {method: {**request.scope, "method": method} for method in METHODS}
    routes = request.app.routes
    return [name for name, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)]


def from_http(error: HTTPException) -> GatewayError:
    if error.status_code == 404:
        return NotFoundError("There is nothing at this path.")
    if error.status_code == 405:
        return MethodNotAllowedError("This path does not know the method.")
    return InvalidRequestError(str(error.detail))
