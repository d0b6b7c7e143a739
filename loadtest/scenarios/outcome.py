"""What a scenario has to show beside the objectives."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from loadtest.asking.answer import OTHER_VERSION, Sample
from loadtest.report.objectives import LATENCIES, Verdict, duration, percentile
from loadtest.report.run import Line, Plot, Run
from loadtest.scenarios.shapes import Ramp, Spike
from loadtest.soak.watch import latency, trends, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.scenarios.plan import Plan
    from loadtest.scenarios.shapes import Shape, Step

LIMITED = frozenset({"rate_limited", "resource_exhausted"})
NOISY = "noisy user"


def run_of(
    plan: Plan,
    *,
    shape: Shape,
    target: str,
    started_at: float,
    samples: Sequence[Sample],
    users: Sequence[tuple[float, int]],
    is_cut_short: bool = False,
) -> Run:
    """`users`: how many there were, by seconds since the start."""
    findings: dict[str, Any] = {"scenario": plan.name, "users": plan.users}
    judged: Sequence[Sample] = [sample for sample in samples if sample.group != NOISY]
    judged_are = "all users but the noisy one" if plan.scenario.noisy else ""
    verdicts: list[Verdict] = []
    if isinstance(shape, Ramp):
        judged_are = "what was answered up to the knee; beyond it the service is overloaded, as is meant"
        judged = up_to_the_knee(judged, shape)
        verdicts.append(_knee(shape.knee))
        findings["steps"] = [asdict(step) for step in shape.steps]
        findings["knee"] = asdict(shape.knee) if shape.knee else None
    if isinstance(shape, Spike):
        verdicts.append(_recovery(samples, started_at + shape.peak_until))
    if plan.scenario.noisy:
        verdicts.append(_held_back([sample for sample in samples if sample.group == NOISY]))
    if plan.scenario.has_two_releases:
        verdicts.append(_releases(samples))
    if plan.name == "soak":
        lines = latency(judged, started_at, plan.seconds)
        verdicts += [verdict(name, found) for name, found in trends(lines, plan.seconds).items()]
    at, counts = zip(*users, strict=True) if users else ((), ())
    return Run(
        title=f"Load test: {plan.name}",
        what=plan.scenario.what,
        command=plan.command,
        target=target,
        started_at=started_at,
        seconds=max(1.0, users[-1][0] if users else 0.0),
        samples=samples,
        load=Plot("Users", "users", [Line("users", at, counts)]),
        judged=judged,
        judged_are=judged_are,
        verdicts=verdicts,
        findings=findings,
        is_cut_short=is_cut_short,
    )


def up_to_the_knee(samples: Sequence[Sample], ramp: Ramp) -> list[Sample]:
    """The objectives are for a service that is not overloaded; that it was in the end is the scenario's purpose."""
    until = ramp.knee.ended_at if ramp.knee else float("-inf")
    return [sample for sample in samples if sample.ended_at < until]


def _knee(knee: Step | None) -> Verdict:
    measured = f"{knee.users} in flight, {knee.per_second:.1f}/s, p95 {duration(knee.p95)}" if knee else "none"
    return Verdict("knee", "found", measured, holds=knee is not None)


def _recovery(samples: Sequence[Sample], since: float) -> Verdict:
    after = [sample.seconds for sample in samples if sample.is_ok and sample.at >= since]
    p95 = percentile(after, 95)
    return Verdict("p95 after the spike", f"≤ {LATENCIES[95]:g} s", duration(p95), holds=p95 <= LATENCIES[95])


def _held_back(noise: Sequence[Sample]) -> Verdict:
    limited = sum(sample.code in LIMITED for sample in noise)
    measured = f"{limited:,} of {len(noise):,} answered 429"
    return Verdict("noisy user held back", "some 429", measured, holds=limited > 0)


def _releases(samples: Sequence[Sample]) -> Verdict:
    wrong = sum(sample.code == OTHER_VERSION for sample in samples)
    return Verdict("the release that was asked answers", "always", f"{wrong} of another", holds=wrong == 0)
