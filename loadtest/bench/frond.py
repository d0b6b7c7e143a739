"""Frond as `frond up` starts it: `diagnose` asked directly, and through the gateway with all that it guarantees."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from cli.connection import LOCAL_USER, local_token
from loadtest.bench.answers import Answer, of_predictions
from loadtest.bench.messages import infer_request, text_of
from loadtest.bench.target import Server, over_grpc, over_http
from loadtest.http import form, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from stack.state import State

NAMES = ("diagnose", "frond")
REQUEST = json.dumps({"assessmentId": "bench", "plantContext": {"id": "bench"}}).encode()


def diagnose(state: State) -> Server:
    return over_grpc(state.triton_grpc, lambda photo: infer_request("diagnose", "IMAGES", [1, 1], photo), _of_diagnosis)


def gateway(state: State) -> Server:
    """Each request with the user's token and a key of its own: nothing is a replay."""
    token = local_token(LOCAL_USER)

    def requests(photo: bytes) -> Callable[[], bytes]:
        content_type, body = form(REQUEST, photo)

        def request() -> bytes:
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
            return post("/v1/ai-inference", headers, content_type, body)

        return request

    return over_http(state.gateway_url.removeprefix("http://"), requests, _of_envelope)


def _of_diagnosis(body: bytes) -> Answer:
    return of_predictions(json.loads(text_of(body))["predictions"])


def _of_envelope(body: bytes) -> Answer:
    return of_predictions(json.loads(body)["result"]["predictions"])
