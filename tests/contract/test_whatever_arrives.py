"""Bytes that no client library would send: the answer is the envelope, with the code that names what is wrong."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from frond.types import DiagnosisResponse
from gateway.connection import MAX_HEAD_BYTES

if TYPE_CHECKING:
    from tests.gateways import Gateway

CLOSE = b"Host: here\r\nConnection: close\r\n"
JSON = b"Content-Type: application/json\r\n"
KEY = b"Idempotency-Key: 6f1f6c1e-8a47-4a8e-9a55-7d1a3c0b5e11\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
UPGRADE = b"POST /v1/uploads HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
SMUGGLED = b"0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: here\r\n\r\n"


def line(text: bytes) -> bytes:
    return text + b"\r\n" + CLOSE + b"\r\n"


# What is sent, and the code it is answered with.
REQUESTS = {
    "unknown method": (line(b"BREW / HTTP/1.1"), "request_malformed"),
    "method in small letters": (line(b"get /health/live HTTP/1.1"), "request_malformed"),
    "TRACE": (line(b"TRACE /v1/uploads HTTP/1.1"), "method_not_allowed"),
    "CONNECT": (line(b"CONNECT here:443 HTTP/1.1"), "request_malformed"),
    "CONNECT to a path": (line(b"CONNECT /v1/uploads HTTP/1.1"), "method_not_allowed"),
    "OPTIONS *": (line(b"OPTIONS * HTTP/1.1"), "not_found"),
    "URL of nowhere": (line(b"GET http://[::1/health/live HTTP/1.1"), "request_malformed"),
    "relative path": (line(b"GET health/live HTTP/1.1"), "request_malformed"),
    "bad percent-encoding": (line(b"GET /%zz%e9%00 HTTP/1.1"), "not_found"),
    "NUL in a signed path": (line(b"GET /v1/storage/%00/%ff?%00=%ff HTTP/1.1"), "url_signature_invalid"),
    "NUL": (line(b"GET /\0 HTTP/1.1"), "request_malformed"),
    "bytes beyond ASCII": (line(b"GET /\xc3\xa9 HTTP/1.1"), "request_malformed"),
    "path traversal": (line(b"GET /v1/storage/../../etc/passwd HTTP/1.1"), "not_found"),
    "long URL": (line(b"GET /" + b"a" * 60_000 + b" HTTP/1.1"), "not_found"),
    "HTTP/1.0": (b"GET /nothing HTTP/1.0\r\n\r\n", "not_found"),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "request_malformed"),
    "HTTP/2.0 in words": (line(b"GET /health/live HTTP/2.0"), "request_malformed"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "request_malformed"),
    "no host": (b"GET /health/live HTTP/1.1\r\n\r\n", "header_invalid"),
    "two hosts": (b"GET /health/live HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "header_invalid"),
    "a host that is none": (b"GET /v1/storage/a/b HTTP/1.1\r\nHost: [\r\n\r\n", "header_invalid"),
    "a header without name": (b"GET / HTTP/1.1\r\n: x\r\n\r\n", "request_malformed"),
    "a folded header": (b"GET / HTTP/1.1\r\nHost: here\r\na: b\r\n c\r\n\r\n", "request_malformed"),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost : here\r\n\r\n", "request_malformed"),
    "bare line feeds": (b"GET /nothing HTTP/1.1\nHost: here\n\n", "request_malformed"),
    "a body on GET": (b"GET /nothing HTTP/1.1\r\n" + CLOSE + b"Content-Length: 3\r\n\r\nabc", "not_found"),
    "an upgrade with a body": (UPGRADE + JSON + b"Content-Length: 2\r\n\r\n{}", "header_invalid"),
}

# The same for what follows the headers of a user's POST.
BODIES = {
    "length and chunks": (b"Content-Length: 4\r\n" + CHUNKED + b"\r\n" + SMUGGLED, "request_malformed"),
    "chunks and length": (CHUNKED + b"Content-Length: 4\r\n\r\n" + SMUGGLED, "request_malformed"),
    "chunks twice": (CHUNKED + CHUNKED + b"\r\n" + SMUGGLED, "request_malformed"),
    "another coding": (b"Transfer-Encoding: xchunked\r\n\r\n" + SMUGGLED, "header_invalid"),
    "two codings": (b"Transfer-Encoding: gzip, chunked\r\n\r\n" + SMUGGLED, "header_invalid"),
    "a space after the coding's name": (b"Transfer-Encoding : chunked\r\n\r\n" + SMUGGLED, "request_malformed"),
    "two lengths": (b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "request_malformed"),
    "a negative length": (b"Content-Length: -2\r\n\r\n{}", "request_malformed"),
    "a signed length": (b"Content-Length: +2\r\n\r\n{}", "request_malformed"),
    "a length beyond numbers": (b"Content-Length: 99999999999999999999999\r\n\r\n{}", "request_malformed"),
    "a length beyond the limit": (b"Content-Length: 9999999999999\r\n\r\n{}", "body_too_large"),
    "a chunk of no length": (CHUNKED + b"\r\nzz\r\n{}\r\n0\r\n\r\n", "request_malformed"),
}

# The same for JSON; the message names what stands third.
DOCUMENTS = {
    "nothing": (b"", "request_malformed", "JSON"),
    "half an object": (b"{", "request_malformed", "JSON"),
    "many levels": (b"[" * 60_000, "request_malformed", "JSON"),
    "a number without end": (b'{"topK": ' + b"9" * 50_000 + b"}", "request_malformed", "JSON"),
    "invalid UTF-8": (b'{"assessmentId": "\xff\xfe"}', "request_malformed", "JSON"),
    "half a surrogate pair": (b'{"assessmentId": "\\ud800"}', "request_malformed", "JSON"),
    "an array": (b"[]", "request_invalid", "object"),
    "null": (b"null", "request_invalid", "object"),
    "a field unknown": (b'{"wat": 1}', "request_invalid", "wat"),
    "a name as in Python": (b'{"assessment_id": "a"}', "request_invalid", "assessment_id"),
    "a number in quotes": (b'{"topK": "5"}', "request_invalid", "topK"),
    "no number": (b'{"topK": NaN}', "request_invalid", "topK"),
    "infinity": (b'{"topK": 1e999}', "request_invalid", "topK"),
    "too large a number": (b'{"topK": 1000}', "request_invalid", "less than or equal"),
    "too long a string": (b'{"assessmentId": "%s"}' % (b"a" * 1000), "request_invalid", "at most"),
    "a NUL in a string": (b'{"assessmentId": "\\u0000"}', "request_invalid", "assessmentId"),
    "no images": (b'{"images": []}', "request_invalid", "at least 1"),
}  # fmt: skip


async def send(gateway: Gateway, data: bytes) -> bytes:
    """All that comes back until the gateway ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.client.base_url.port)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.transport.abort()


def code_of(answer: bytes) -> str:
    """The error's code, of one answer in the envelope and no more."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *fields = head.decode().lower().split("\r\n")
    headers = dict(field.split(": ", 1) for field in fields)
    error = DiagnosisResponse.model_validate_json(body).error
    assert status.startswith("http/1.1 4")
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(body))
    assert headers["connection"] == "close"
    assert headers["x-request-id"] == json.loads(body)["requestId"]
    assert headers["x-content-type-options"] == "nosniff"
    assert error is not None
    return error.code


@pytest.mark.parametrize("name", REQUESTS)
async def test_what_is_hardly_http_gets_the_envelope(gateway: Gateway, name: str) -> None:
    sent, code = REQUESTS[name]
    assert code_of(await send(gateway, sent)) == code


def post(gateway: Gateway) -> bytes:
    token = b"Authorization: Bearer " + gateway.key.token().encode() + b"\r\n"
    return b"POST /v1/ai-inference HTTP/1.1\r\n" + CLOSE + token + KEY + JSON


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_of_doubtful_length_is_refused_and_nothing_in_it_is_taken_for_a_request(
    gateway: Gateway, name: str
) -> None:
    sent, code = BODIES[name]
    assert code_of(await send(gateway, post(gateway) + sent)) == code


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_the_message_names_what_is_wrong_with_a_document(gateway: Gateway, name: str) -> None:
    content, code, named = DOCUMENTS[name]
    answer = await send(gateway, post(gateway) + b"Content-Length: %d\r\n\r\n" % len(content) + content)
    assert code_of(answer) == code
    assert named in json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"]


async def test_a_url_in_absolute_form_is_its_path(gateway: Gateway) -> None:
    assert b'{"live":true}' in await send(gateway, line(b"GET http://elsewhere/health/live HTTP/1.1"))


async def test_an_upgrade_is_not_made_and_the_request_answered(gateway: Gateway) -> None:
    headers = b"Host: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    answer = await send(gateway, b"GET /health/live HTTP/1.1\r\n" + headers)
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_head_beyond_the_limit_is_told_the_limit(gateway: Gateway) -> None:
    answer = await send(gateway, b"GET / HTTP/1.1\r\nHost: here\r\na: " + b"b" * MAX_HEAD_BYTES)
    assert code_of(answer) == "header_invalid"
    assert str(MAX_HEAD_BYTES).encode() in answer


@pytest.mark.parametrize("lines", [2, 20])
async def test_headers_that_stand_twice_break_nothing(gateway: Gateway, lines: int) -> None:
    twice = b"X-Request-Id: a\r\ntraceparent: b\r\nX-Frond-Deadline-Ms: 1000\r\nContent-Type: text/html\r\n" * lines
    answer = await send(gateway, post(gateway) + twice + b"Content-Length: 2\r\n\r\n{}")
    assert code_of(answer) == "request_invalid"
