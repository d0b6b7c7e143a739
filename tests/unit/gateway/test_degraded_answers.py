"""The degraded release: when it answers, for whom, and that it is named as such."""

from __future__ import annotations

import pytest

from gateway.deadline import Deadline
from gateway.errors import (
    DeadlineError,
    GatewayError,
    ModelFailedError,
    ModelVersionUnavailableError,
    ModelVersionUnknownError,
    OverloadedError,
    TritonUnavailableError,
)
from gateway.inference.degraded import DegradingDiagnoser
from gateway.metrics import Metrics
from tests.gateways import FakeDiagnoser

OUT = [TritonUnavailableError("out"), ModelVersionUnavailableError("not loaded")]


class Pair:
    """The promoted release and the smaller one."""

    def __init__(self, error: GatewayError | None = None) -> None:
        self.promoted, self.smaller, self.metrics = FakeDiagnoser(), FakeDiagnoser(), Metrics()
        self.promoted.error = error
        self.diagnoser = DegradingDiagnoser(self.promoted, self.smaller, "lite", self.metrics)

    async def is_degraded(self, version: str | None = None) -> bool:
        answer = await self.diagnoser.diagnose([b"photo"], 3, version, "request-1", Deadline.after(5))
        return answer.degraded

    def counted(self) -> float | None:
        return self.metrics.registry.get_sample_value("frond_gateway_degraded_answers_total")


async def test_while_the_promoted_one_answers_the_other_is_not_asked() -> None:
    pair = Pair()
    assert not await pair.is_degraded()
    assert pair.smaller.asked == []
    assert pair.counted() == 0


@pytest.mark.parametrize("error", OUT, ids=lambda error: error.code)
async def test_when_it_is_out_the_other_answers_and_that_is_said_and_counted(error: GatewayError) -> None:
    pair = Pair(error)
    assert await pair.is_degraded()
    assert pair.smaller.asked == [(1, 3, "lite")]
    assert pair.counted() == 1


@pytest.mark.parametrize("error", OUT, ids=lambda error: error.code)
async def test_who_names_a_version_gets_that_one_or_none(error: GatewayError) -> None:
    pair = Pair(error)
    with pytest.raises(type(error)):
        await pair.is_degraded("7")
    assert pair.smaller.asked == []


@pytest.mark.parametrize(
    "error", [OverloadedError("full"), DeadlineError("late"), ModelFailedError("bug")], ids=lambda error: error.code
)
async def test_an_overloaded_or_failing_one_is_not_out(error: GatewayError) -> None:
    pair = Pair(error)
    with pytest.raises(type(error)):
        await pair.is_degraded()
    assert pair.smaller.asked == []


def test_a_request_is_admitted_if_either_would_answer_it() -> None:
    pair = Pair()
    pair.promoted.refusal = TritonUnavailableError("out")
    pair.diagnoser.admit(None, Deadline.after(5))
    with pytest.raises(TritonUnavailableError):
        pair.diagnoser.admit("7", Deadline.after(5))
    pair.smaller.refusal = OverloadedError("full")
    with pytest.raises(OverloadedError):
        pair.diagnoser.admit(None, Deadline.after(5))


def test_an_overloaded_promoted_one_sends_nobody_to_the_other() -> None:
    pair = Pair()
    pair.promoted.refusal = OverloadedError("full")
    with pytest.raises(OverloadedError):
        pair.diagnoser.admit(None, Deadline.after(5))


@pytest.mark.parametrize("error", OUT, ids=lambda error: error.code)
async def test_a_degraded_release_that_does_not_exist_is_no_fault_of_the_caller(error: GatewayError) -> None:
    pair = Pair(error)
    pair.smaller.error = ModelVersionUnknownError("There is no model version lite.")
    with pytest.raises(type(error)) as raised:
        await pair.is_degraded()
    assert raised.value.__cause__ is pair.smaller.error
    assert pair.counted() == 0
