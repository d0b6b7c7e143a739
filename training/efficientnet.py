"""The table that EfficientNets are built by, whatever they are built with."""

from __future__ import annotations

from typing import NamedTuple


class Stage(NamedTuple):
    """One row of table 1 in the EfficientNet paper (Tan & Le 2019), before scaling: `repeats` inverted bottlenecks with
    one stride, on the first."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
