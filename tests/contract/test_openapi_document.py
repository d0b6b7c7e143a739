"""The OpenAPI document is the contract of `frond.types`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from pydantic.json_schema import models_json_schema

from frond.types import (
    DiagnosisRequest,
    DiagnosisResponse,
    ErrorCategory,
    MultipartDetails,
    TelemetryBatch,
    TelemetryResponse,
    UploadRequest,
    UploadResponse,
)
from gateway import errors
from gateway.app import create_app
from gateway.errors import GatewayError
from tests.gateways import SigningKey, settings_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import BaseModel

    from tests.gateways import Gateway


def classes() -> list[type[GatewayError]]:
    return [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, GatewayError)]


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    return create_app(settings_in(tmp_path, SigningKey())).openapi()


def test_the_schemas_are_those_of_the_types(document: dict[str, Any]) -> None:
    models: list[type[BaseModel]] = [
        DiagnosisRequest,
        MultipartDetails,
        DiagnosisResponse,
        UploadRequest,
        UploadResponse,
        TelemetryBatch,
        TelemetryResponse,
    ]
    _, expected = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    schemas = document["components"]["schemas"]
    assert {name: schemas.get(name) for name in expected["$defs"]} == expected["$defs"]


def test_both_forms_of_the_request_are_described(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/ai-inference"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data"}


def test_what_acts_for_a_user_asks_for_a_token(document: dict[str, Any]) -> None:
    secured = {path for path, item in document["paths"].items() if any(each.get("security") for each in item.values())}
    assert secured == {"/v1/ai-inference", "/v1/uploads", "/v1/telemetry", "/v1/status", "/v1/model"}


def test_every_failure_of_the_api_has_the_envelope(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        if path.startswith("/health"):
            continue
        for operation in operations.values():
            failures = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
            assert {"403", "500"} <= set(failures)
            for answer in failures.values():
                reference = answer["content"]["application/json"]["schema"]["$ref"]
                assert reference.rpartition("/")[2] in {"DiagnosisResponse", "UploadResponse", "TelemetryResponse"}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(document["components"]["schemas"])


def test_a_diagnosis_needs_an_idempotency_key_and_may_have_a_request_id(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/v1/ai-inference"]["post"]["parameters"]
    required = {parameter["name"]: parameter.get("required", False) for parameter in parameters}
    assert required == {
        "idempotency-key": True, "x-frond-deadline-ms": False, "x-request-id": False, "traceparent": False,
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore:open_binary is deprecated")  # in fastapi-swagger; Python 3.13 took it back
async def test_the_page_that_shows_it_loads_nothing_from_elsewhere(gateway: Gateway) -> None:
    page = await gateway.client.get("/docs")
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(sources) == 3
    for source in sources:
        assert source.startswith(str(gateway.client.base_url))
        assert (await gateway.client.get(source)).status_code == 200


def test_the_examples_keep_the_contract(document: dict[str, Any]) -> None:
    post = document["paths"]["/v1/ai-inference"]["post"]
    DiagnosisRequest.model_validate(post["requestBody"]["content"]["application/json"]["example"])
    reported = document["paths"]["/v1/telemetry"]["post"]["requestBody"]["content"]["application/json"]["example"]
    TelemetryBatch.model_validate(reported)
    shown = {
        status: DiagnosisResponse.model_validate(response["content"]["application/json"]["example"])
        for status, response in post["responses"].items()
    }
    assert shown["200"].success
    assert all(answer.error is not None for status, answer in shown.items() if status != "200")


def test_each_failure_that_is_shown_has_a_code_of_its_status(document: dict[str, Any]) -> None:
    kinds = {error.code: str(error.status) for error in classes() if hasattr(error, "code")}
    for _, _, status, error in failures_shown(document):
        assert kinds[error["code"]] == status
        assert error["retryable"] == (error["category"] == ErrorCategory.SERVER)
        assert (error["retryAfterMs"] is not None) == error["retryable"]


def test_a_path_shows_failures_of_its_own(document: dict[str, Any]) -> None:
    codes = {(path, method, status): error["code"] for path, method, status, error in failures_shown(document)}
    assert codes["/v1/ai-inference", "post", "503"] == "triton_unavailable"
    for place in (("/v1/uploads", "post"), ("/v1/storage/{user_id}/{name}", "put")):
        assert codes[*place, "503"] == "storage_unavailable"
    assert {place for place, code in codes.items() if code == "triton_unavailable"} == {
        ("/v1/ai-inference", "post", "503")
    }
    without_body = {place for place in codes if place[1] == "get"}
    assert not {codes[place] for place in without_body} & {"request_malformed", "content_type_unsupported"}


def failures_shown(document: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                example = response.get("content", {}).get("application/json", {}).get("example", {})
                if status >= "400" and example:
                    yield path, method, status, example["error"]


def test_every_operation_says_what_all_may_answer(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert {"400", "500", "503"} <= set(operation["responses"])
            assert ("429" in operation["responses"]) == (not path.startswith("/health/"))
            assert "499" not in operation["responses"]
            for status, response in operation["responses"].items():
                assert "X-Request-Id" in response["headers"]
                assert ("Retry-After" in response["headers"]) == (status in {"409", "429", "500", "503"}), path


def test_a_diagnosis_tells_its_limits_and_whether_it_is_a_replay(document: dict[str, Any]) -> None:
    responses = document["paths"]["/v1/ai-inference"]["post"]["responses"]
    assert {"RateLimit", "RateLimit-Policy", "Idempotency-Replayed"} <= set(responses["200"]["headers"])
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(responses["429"]["headers"])
