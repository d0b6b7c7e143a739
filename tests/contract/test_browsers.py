"""Web clients of configured origins may call; others get no permission, and the envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gateways import PATH, png

if TYPE_CHECKING:
    import httpx2

    from tests.gateways import FakeDiagnoser, Gateway

OURS = "https://app.test"
ASKED = "authorization,content-type,idempotency-key,x-frond-deadline-ms,x-request-id,traceparent,apikey,x-client-info"


async def preflight(
    gateway: Gateway, origin: str = OURS, method: str = "POST", headers: str = ASKED
) -> httpx2.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return await gateway.client.options(PATH, headers=asked)


async def test_a_configured_origin_may_send_what_a_diagnosis_needs(gateway: Gateway) -> None:
    answer = await preflight(gateway)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == OURS
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert all(header in allowed for header in ASKED.split(","))
    assert "origin" in answer.headers["vary"].lower()
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("refused", "named"),
    [
        ({"origin": "https://evil.test"}, "origin"),
        ({"origin": "null"}, "origin"),
        ({"origin": f"{OURS}.evil.test"}, "origin"),
        ({"method": "DELETE"}, "method"),
        ({"headers": "x-evil"}, "headers"),
    ],
)
async def test_a_refused_preflight_has_the_envelope(gateway: Gateway, refused: dict[str, str], named: str) -> None:
    answer = await preflight(gateway, **refused)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == "header_invalid"
    assert named in answer.json()["error"]["message"]
    assert ("access-control-allow-origin" in answer.headers) == ("origin" not in refused)


@pytest.mark.parametrize("fault", [None, RuntimeError("a bug")])
async def test_answers_and_errors_can_be_read_by_a_configured_origin(
    gateway: Gateway, diagnoser: FakeDiagnoser, fault: Exception | None
) -> None:
    gateway.client.headers["Origin"] = OURS
    diagnoser.error = fault
    answer = await gateway.diagnose(png())
    assert answer.status_code == (200 if fault is None else 500)
    assert answer.headers["access-control-allow-origin"] == OURS
    exposed = answer.headers["access-control-expose-headers"]
    assert exposed == "X-Request-Id, Idempotency-Replayed, Retry-After, RateLimit, RateLimit-Policy"
    assert "origin" in answer.headers["vary"].lower()


async def test_another_origin_gets_its_answer_without_permission_to_read_it(gateway: Gateway) -> None:
    gateway.client.headers["Origin"] = "https://evil.test"
    answer = await gateway.diagnose(png())
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


async def test_options_without_an_origin_is_a_method_like_others(gateway: Gateway) -> None:
    answer = await gateway.client.options(PATH)
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.filterwarnings("ignore:open_binary is deprecated")  # in fastapi-swagger; Python 3.13 took it back
async def test_the_documentation_may_run_its_own_script_and_nothing_else_may(gateway: Gateway) -> None:
    page, document = await gateway.client.get("/docs"), await gateway.client.get("/openapi.json")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "script-src" not in document.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
