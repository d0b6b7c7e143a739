"""What a run of a scenario is to be; processes of locust get it by their environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.scenarios.catalogue import SCENARIOS, Scenario

if TYPE_CHECKING:
    from loadtest.scenarios.shapes import Shape

VARIABLE = "FROND_LOADTEST"


@dataclass(frozen=True, slots=True)
class Plan:
    """`kinds`: names and weights; `folder`: where the report goes; `command`: as it was started."""

    name: str
    users: int
    seconds: float
    kinds: Mapping[str, float]
    folder: str
    command: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Plan:
        """Raises KeyError where there is none."""
        return cls(**json.loads(environment[VARIABLE]))

    def environment(self) -> dict[str, str]:
        return {VARIABLE: json.dumps(asdict(self))}

    @property
    def scenario(self) -> Scenario:
        return SCENARIOS[self.name]

    @property
    def report(self) -> Path:
        return Path(self.folder)

    def shape(self) -> Shape:
        """A new one: a ramp remembers its steps. Noisy users are counted along."""
        return self.scenario.shape(self.users + self.scenario.noisy, self.seconds)

    def is_noise(self, at: float) -> bool:
        """Whether the noisy users ask, `at` seconds after the start: in the middle third."""
        return self.seconds / 3 <= at < 2 * self.seconds / 3
