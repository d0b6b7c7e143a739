"""Whatever goes wrong, the answer is the contract's envelope."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from frond.types import DiagnosisResponse, ErrorCategory
from gateway import errors
from gateway.errors import GatewayError
from tests.gateways import PATH, FakeDiagnoser, Gateway, form, png

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx2

    from tests.gateways import FakeDiagnoser, Gateway

HTTP_STATUSES = {
    ErrorCategory.VALIDATION: {400, 404, 405, 413, 415, 422},
    ErrorCategory.AUTH: {401, 403},
    ErrorCategory.TIMEOUT: {504},
    ErrorCategory.SERVER: {503, 429, 409, 500},
    ErrorCategory.NETWORK: {499},  # never read by anyone
}


def classes(root: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    for child in root.__subclasses__():
        yield child
        yield from classes(child)


def example(error: type[GatewayError]) -> GatewayError:
    if issubclass(error, errors.UnreadableImagesError):
        return error("what happened", "image_corrupt")
    return error("what happened")


def envelope(response: httpx2.Response) -> DiagnosisResponse:
    assert response.headers["content-type"] == "application/json"
    answer = DiagnosisResponse.model_validate_json(response.content)
    assert not answer.success
    assert answer.result is None
    assert answer.error is not None
    assert answer.error.message
    assert answer.request_id == response.headers["x-request-id"]
    return answer


async def test_every_error_of_the_tree_is_rendered_with_its_status_and_code(
    gateway: Gateway, diagnoser: FakeDiagnoser
) -> None:
    for error in map(example, classes()):
        diagnoser.error = error
        headers = gateway.headers()
        if isinstance(error, errors.DeadlineError):  # it must be the caller's own: ours would be a server's error
            headers["X-Frond-Deadline-Ms"] = "45"
        response = await gateway.client.post(PATH, files=form(png()), headers=headers)
        answer = envelope(response)
        assert answer.error is not None
        assert (response.status_code, answer.error.code) == (error.status, error.code)
        assert answer.error.category is error.category
        assert answer.error.retryable == (error.category is ErrorCategory.SERVER)
        assert (answer.error.retry_after_ms is not None) == answer.error.retryable
        assert ("retry-after" in response.headers) == answer.error.retryable


def test_every_error_has_a_status_of_its_category() -> None:
    wrong = [error for error in classes() if error.status not in HTTP_STATUSES[error.category]]
    assert not wrong


def test_the_tree_at_the_top_of_the_module_is_the_one_below_it() -> None:
    drawn = re.findall(r"(\w+Error)( +\*)?( +[a-z]+)? +(\d{3})", errors.__doc__ or "")
    expected = [(error.__name__, str(error.status)) for error in classes()]
    assert [(name, status) for name, _, _, status in drawn] == expected
    starred = {name for name, star, _, _ in drawn if star}
    assert starred == {error.__name__ for error in classes() if error.is_deterministic}


def test_no_two_errors_share_a_code() -> None:
    codes = [example(error).code for error in classes()]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/v1/ai-inference", 405, "method_not_allowed"),
        ("POST", "/v1/ai-inference/", 404, "not_found"),
        ("DELETE", "/health/live", 405, "method_not_allowed"),
        ("POST", "/functions/v1/ai-inference", 401, "token_missing"),
        ("PUT", "/v1/storage/a/b", 403, "url_signature_invalid"),
    ],
)
async def test_what_the_framework_refuses_has_the_envelope_too(
    gateway: Gateway, method: str, path: str, status: int, code: str
) -> None:
    response = await gateway.client.request(method, path)
    answer = envelope(response)
    assert answer.error is not None
    assert (response.status_code, answer.error.code) == (status, code)
    assert ("allow" in response.headers) == (status == 405)


@pytest.mark.parametrize("authorization", ["Basic abc", "Bearer", "Bearer a b", "Bearer é", "token"])
async def test_whatever_stands_in_the_authorization_header_gets_the_envelope(
    gateway: Gateway, authorization: str
) -> None:
    headers = [(b"Authorization", authorization.encode())]
    response = await gateway.client.post("/v1/ai-inference", headers=headers)
    assert response.status_code == 401
    envelope(response)


async def test_two_tokens_are_one_too_many(gateway: Gateway) -> None:
    token = f"Bearer {gateway.key.token()}"
    headers = [*gateway.headers().items(), ("Authorization", token)]
    response = await gateway.client.post("/v1/ai-inference", headers=headers, files=form(png()))
    assert response.status_code == 401
    envelope(response)


async def test_a_body_that_does_not_come_in_time_is_a_timeout(gateway: Gateway) -> None:
    headers = gateway.headers() | {"X-Frond-Deadline-Ms": "100", "Content-Type": "application/json"}

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(0.5)

    response = await gateway.client.post("/v1/ai-inference", headers=headers, content=slow())
    assert response.status_code == 504
    envelope(response)
