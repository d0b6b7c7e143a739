"""One trial in one gateway: who is in it, what callers of a bad canary get, and how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.canary.diagnoser import CanaryDiagnoser
from gateway.canary.protocols import Tally, Trial
from gateway.canary.service import REMEMBERED_PHOTOS, CanaryTrial
from gateway.deadline import Deadline
from gateway.diagnoses.protocols import ModelAnswer
from gateway.errors import (
    DatabaseUnavailableError,
    DeadlineError,
    ModelFailedError,
    ModelVersionUnavailableError,
    OverloadedError,
    TritonUnavailableError,
)
from gateway.metrics import Metrics
from tests.gateways import photo_answer, png

if TYPE_CHECKING:
    from collections.abc import Sequence


class FakeTrials:
    """The counts of all gateways, in memory."""

    def __init__(self) -> None:
        self.trial = Trial(Tally(), Tally())
        self.is_out = False

    async def add(self, version: str, canary: Tally, promoted: Tally) -> Trial:  # noqa: ARG002
        if self.is_out:
            raise DatabaseUnavailableError("out")
        self.trial = Trial(self.trial.canary.plus(canary), self.trial.promoted.plus(promoted), self.trial.verdict)
        return self.trial

    async def roll_back(self, version: str, verdict: str) -> str:  # noqa: ARG002
        self.trial = Trial(self.trial.canary, self.trial.promoted, self.trial.verdict or verdict)
        assert self.trial.verdict is not None
        return self.trial.verdict


class Releases:
    """Triton with the promoted release and release 2: each fails or answers otherwise when told to."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.budgets: list[float] = []
        self.errors: dict[str | None, Exception] = {}
        self.changes: dict[str | None, dict[str, Any]] = {}
        self.degraded = False
        self.expected_seconds = 0.0  # as the balancer sees it

    def admit(self, version: str | None, deadline: Deadline) -> None:  # noqa: ARG002
        if deadline.remaining() < self.expected_seconds:
            raise OverloadedError("busy")

    async def diagnose(
        self,
        photos: Sequence[bytes],
        top_k: int,  # noqa: ARG002
        version: str | None,
        request_id: str,  # noqa: ARG002
        deadline: Deadline,
    ) -> ModelAnswer:
        self.asked.append(version)
        self.budgets.append(deadline.remaining())
        self.admit(version, deadline)
        if version in self.errors:
            raise self.errors[version]
        content = photo_answer(photos) | self.changes.get(version, {})
        return ModelAnswer(json.dumps(content).encode(), 0.01, self.degraded and version is None)


class Setup:
    """A gateway with a trial of release 2."""

    def __init__(self, share: float = 0.5, trials: FakeTrials | None = None) -> None:
        self.trials, self.releases, self.metrics = trials or FakeTrials(), Releases(), Metrics()
        self.trial = CanaryTrial("2", share, self.trials, self.metrics)
        self.diagnoser = CanaryDiagnoser(self.releases, self.trial)

    async def ask(self, shade: int = 0, version: str | None = None) -> str | None:
        """The release whose answer came back."""
        await self.diagnoser.diagnose([photo(shade)], 3, version, "request-1", Deadline.after(4))
        return self.releases.asked[-1]

    def chosen(self) -> int:
        """A photo that is in the trial."""
        return next(shade for shade in range(50) if self.trial.includes(photo(shade)))

    def counted(self, side: str, outcome: str) -> float | None:
        labels = {"side": side, "outcome": outcome}
        return self.metrics.registry.get_sample_value("frond_gateway_canary_requests_total", labels)

    def gauge(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"frond_gateway_canary_{name}", {"version": "2"})


def photo(number: int) -> bytes:
    return png(number % 256, side=16 + number // 256)


async def test_nobody_is_in_it_before_the_database_has_answered() -> None:
    setup = Setup()
    assert {await setup.ask(shade) for shade in range(50)} == {None}
    assert setup.gauge("share") == 0
    await setup.trial.report()
    assert {await setup.ask(shade) for shade in range(50)} == {None, "2"}
    assert setup.gauge("share") == 0.5


async def test_about_the_share_of_the_photos_is_in_it_and_the_same_ones_in_every_gateway() -> None:
    one, other = Setup(share=0.1), Setup(share=0.1)
    await one.trial.report()
    await other.trial.report()
    chosen = [shade for shade in range(3000) if one.trial.includes(photo(shade))]
    assert 220 <= len(chosen) <= 380
    assert chosen == [shade for shade in range(3000) if other.trial.includes(photo(shade))]


async def test_who_names_a_version_is_not_in_it() -> None:
    setup = Setup()
    await setup.trial.report()
    assert {await setup.ask(shade, "1") for shade in range(30)} == {"1"}
    assert setup.trials.trial.canary == Tally()


@pytest.mark.parametrize(
    "error",
    [ModelFailedError("bug"), ModelVersionUnavailableError("not loaded"), DeadlineError("late"), ZeroDivisionError()],
    ids=lambda error: type(error).__name__,
)
async def test_whom_the_canary_fails_the_promoted_release_answers_with_the_other_half_of_the_budget(
    error: Exception,
) -> None:
    setup = Setup()
    setup.releases.errors["2"] = error
    await setup.trial.report()
    assert {await setup.ask(shade) for shade in range(30)} == {None}
    at_canary = [
        budget for version, budget in zip(setup.releases.asked, setup.releases.budgets, strict=True) if version
    ]
    assert at_canary
    assert max(at_canary) <= 2
    assert setup.counted("canary", "failed") == len(at_canary)
    assert setup.counted("promoted", "failed") is None


UNREAD = photo_answer([b""])["images"][0] | {
    "predictions": [],
    "error": {"category": "validation", "code": "image_corrupt", "message": "It cannot be read.", "retryable": False},
}


@pytest.mark.parametrize(
    "changes",
    [
        {"abstained": "perhaps"},
        {"images": None},
        {"images": photo_answer([b"", b""])["images"]},
        {"timingMs": {}},
        {"images": [UNREAD]},
    ],
    ids=["another type", "no images", "one image too many", "no times", "no photo read"],
)
async def test_an_answer_that_callers_could_not_be_given_is_a_failure_of_the_canary(changes: dict[str, Any]) -> None:
    setup = Setup()
    setup.releases.changes["2"] = changes
    await setup.trial.report()
    assert await setup.ask(setup.chosen()) is None
    assert (setup.counted("canary", "failed"), setup.counted("canary", "answered")) == (1, None)


async def test_a_photo_that_no_release_reads_is_answered_by_the_promoted_one() -> None:
    setup = Setup()
    setup.releases.changes = {"2": {"images": [UNREAD]}, None: {"images": [UNREAD]}}
    await setup.trial.report()
    assert {await setup.ask(shade) for shade in range(30)} == {None}
    assert setup.counted("promoted", "failed") == 30 - (setup.counted("canary", "failed") or 0)


@pytest.mark.parametrize("expected_seconds", [1.5, 3])
async def test_an_equal_release_stays_while_triton_has_much_to_do(expected_seconds: float) -> None:
    """Of 4 s. For half of them the canary would be refused, and for all of them the promoted release is not."""
    setup = Setup()
    await setup.trial.report()
    setup.releases.expected_seconds = expected_seconds
    assert {await setup.ask(shade) for shade in range(100)} == {None}
    await setup.trial.report()
    assert setup.trials.trial == Trial(Tally(), Tally())
    assert setup.trial.is_running


@pytest.mark.parametrize(
    "error", [OverloadedError("busy"), TritonUnavailableError("out")], ids=lambda error: error.code
)
async def test_where_no_model_was_asked_nothing_is_counted_for_any_release(error: Exception) -> None:
    setup = Setup()
    setup.releases.errors = {"2": error}
    await setup.trial.report()
    assert await setup.ask(setup.chosen()) is None
    setup.releases.errors = {None: error}
    for shade in range(30):
        if not setup.trial.includes(photo(shade)):
            with pytest.raises(type(error)):
                await setup.ask(shade)
    await setup.trial.report()
    assert setup.trials.trial == Trial(Tally(), Tally())


async def test_an_answer_of_the_degraded_release_says_nothing_of_the_promoted_one() -> None:
    setup = Setup()
    setup.releases.degraded = True
    await setup.trial.report()
    for shade in range(30):
        await setup.ask(shade)
    await setup.trial.report()
    assert setup.trials.trial.promoted == Tally()
    assert setup.trials.trial.canary.asked > 0


async def test_one_photo_sent_again_and_again_counts_once() -> None:
    setup = Setup()
    setup.releases.changes["2"] = {"abstained": True}
    await setup.trial.report()
    for _ in range(60):
        assert await setup.ask(setup.chosen()) == "2"
    await setup.trial.report()
    assert setup.trials.trial.canary == Tally(1, abstained=1)


async def test_what_is_remembered_of_photos_is_bounded() -> None:
    setup = Setup()
    for number in range(REMEMBERED_PHOTOS + 2):
        setup.trial.count("promoted", number.to_bytes(4), "answered", 0.01)
    setup.trial.count("promoted", (REMEMBERED_PHOTOS + 1).to_bytes(4), "answered", 0.01)
    setup.trial.count("promoted", (0).to_bytes(4), "answered", 0.01)  # forgotten by now
    await setup.trial.report()
    assert setup.trials.trial.promoted == Tally(REMEMBERED_PHOTOS + 3)


async def test_a_worse_canary_is_rolled_back_in_every_gateway_and_stays_so_in_a_new_one() -> None:
    trials = FakeTrials()
    one, other = Setup(trials=trials), Setup(trials=trials)
    for setup in (one, other):
        await setup.trial.report()
    one.releases.errors["2"] = ModelFailedError("bug")
    for shade in range(60):
        await one.ask(shade)
    await one.trial.report()
    await other.trial.report()
    new = Setup(trials=trials)
    await new.trial.report()
    for setup in (one, other, new):
        assert not setup.trial.is_running
        assert (setup.gauge("share"), setup.gauge("rolled_back")) == (0, 1)
        assert {await setup.ask(shade) for shade in range(30)} == {None}
    assert trials.trial.verdict is not None


async def test_abstentions_are_told_from_answers() -> None:
    setup = Setup()
    setup.releases.changes = {"2": {"abstained": True}, None: {"abstained": True}}
    await setup.trial.report()
    for shade in range(30):
        await setup.ask(shade)
    await setup.trial.report()
    assert setup.trials.trial.canary.abstained == setup.trials.trial.canary.asked > 0


async def test_what_may_or_may_not_have_been_reported_is_not_reported_again() -> None:
    setup = Setup()
    await setup.trial.report()
    setup.trials.is_out = True
    for shade in range(30):
        await setup.ask(shade)
    with pytest.raises(DatabaseUnavailableError):
        await setup.trial.report()
    setup.trials.is_out = False
    await setup.trial.report()
    assert setup.trials.trial == Trial(Tally(), Tally())
