"""When requests arrive, in seconds since the start."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import random

Arrivals: TypeAlias = Literal["poisson", "constant"]


def arrivals(how: Arrivals, rate: float, seconds: float, chance: random.Random) -> Iterator[float]:
    """`rate` a second, for so long. Poisson: as many people do who know nothing of each other, gaps exponential."""
    if rate <= 0 or seconds <= 0:
        raise ValueError("rate and seconds must be above 0")
    gaps = iter(lambda: chance.expovariate(rate), None) if how == "poisson" else itertools.repeat(1 / rate)
    return itertools.takewhile(lambda at: at < seconds, itertools.accumulate(gaps))
