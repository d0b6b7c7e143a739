"""Every scenario: its users, what they send, and the gateway's settings where a stack is started for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from loadtest.asking.crowd import Habits
from loadtest.asking.options import WEIGHTS
from loadtest.scenarios.shapes import Ramp, Shape, Spike, Steady

KEYED = {name: weight for name, weight in WEIGHTS.items() if name != "grpc"}
# The SDK scales large photos on the phone; these must arrive as they are.
AS_THEY_ARE = {"multipart": 1.0, "upload": 1.0}
PEOPLE = (1.0, 3.0)
RELEASES = ("1", "load-test")


@dataclass(frozen=True, slots=True)
class Scenario:
    """`users` and `seconds` are what a run has unless told otherwise; `pause` between a user's requests, in seconds.

    `noisy`: users beside them who all ask as one, without a pause, in the middle of the run.
    """

    what: str
    users: int
    seconds: float
    shape: Callable[[int, float], Shape]
    habits: Habits = field(default_factory=Habits)
    kinds: Mapping[str, float] = field(default_factory=lambda: WEIGHTS)
    pause: tuple[float, float] = PEOPLE
    settings: Mapping[str, str] = field(default_factory=dict)
    noisy: int = 0
    has_two_releases: bool = False


SCENARIOS: dict[str, Scenario] = {
    "steady": Scenario("Users who ask every few seconds.", 20, 60, Steady),
    "ramp": Scenario(
        "More users with every step, none of whom pauses, until the service is saturated.",
        2,
        8,
        lambda users, seconds: Ramp(seconds, users),
        pause=(0, 0),
    ),
    "spike": Scenario(
        "Five times as many users for a fifth of the time.",
        10,
        60,
        lambda users, seconds: Spike(users, 5 * users, seconds),
    ),
    "soak": Scenario("Users who ask every few seconds, for long.", 20, 1800, Steady),
    "duplicates-5": Scenario(
        "One request in twenty is sent a second time.", 20, 60, Steady, Habits(duplicate_share=0.05), KEYED
    ),
    "duplicates-50": Scenario(
        "Every request is sent a second time.", 20, 60, Steady, Habits(duplicate_share=0.5), KEYED
    ),
    "big-photos": Scenario("Photos of 12 and 24 megapixels.", 10, 60, Steady, Habits(("12mp", "24mp")), AS_THEY_ARE),
    "mixed-versions": Scenario(
        "Two releases at once, asked by name and without; traffic is promoted to the second one, and rolled back.",
        20,
        60,
        Steady,
        Habits(versions=(None, *RELEASES)),
        has_two_releases=True,
    ),
    "noisy": Scenario(
        "In the middle of the run one user asks without pause, over four connections, beside many who ask as ever.",
        20,
        60,
        Steady,
        settings={"FROND_RATE_LIMIT_BURST": "20", "FROND_RATE_LIMIT_PER_MINUTE": "120"},
        noisy=4,
    ),
}
