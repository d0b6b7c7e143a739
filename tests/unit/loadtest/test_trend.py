"""Whether a quantity grows: what is flat, what is not, and what nobody can know yet."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from loadtest.report.run import Line
from loadtest.soak.readings import open_files, private_bytes
from loadtest.soak.trend import trend
from loadtest.soak.watch import MIN_SECONDS, kind_of, trends, verdict

if TYPE_CHECKING:
    from pathlib import Path

AT = [float(second) for second in range(0, 600, 2)]


def noisy(slope: float, noise: float, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [100 + slope * at + chance.gauss(0, noise) for at in AT]


def test_noise_around_a_level_is_flat() -> None:
    found = trend(AT, noisy(0, 2), allowed=5)
    assert found.judgement == "flat"
    assert found.low < 0 < found.high
    assert found.level == pytest.approx(100, abs=1)


def test_a_leak_below_the_noise_is_found() -> None:
    found = trend(AT, noisy(0.02, 4), allowed=5)
    assert found.judgement == "growing"
    assert found.low < 12 < found.high
    assert found.change == pytest.approx(12, abs=4)


def test_growth_that_is_allowed_is_flat() -> None:
    assert trend(AT, noisy(0.005, 0.1), allowed=5).judgement == "flat"


def test_what_shrinks_is_flat() -> None:
    assert trend(AT, noisy(-0.1, 1), allowed=1).judgement == "flat"


def test_noise_that_hides_more_than_is_allowed_is_not_known() -> None:
    assert trend(AT, noisy(0, 60), allowed=1).judgement == "not known"


def test_a_few_wild_values_do_not_sway_it() -> None:
    values = noisy(0, 1)
    values[-5:] = [10_000.0] * 5
    assert trend(AT, values, allowed=5).judgement == "flat"


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_values_are_not_known(count: int) -> None:
    assert trend(AT[:count], [1.0] * count, allowed=5).judgement == "not known"


def test_the_interval_holds_the_true_slope_about_nineteen_times_of_twenty() -> None:
    found = [trend(AT, noisy(0.02, 4, seed), allowed=5) for seed in range(200)]
    held = sum(each.low <= 0.02 * (AT[-1] - AT[0]) <= each.high for each in found)
    assert 180 <= held <= 199


def test_the_time_in_which_the_stack_warms_up_is_left_out() -> None:
    values = [50.0 if at < 100 else 200.0 for at in AT]
    found = trends([Line("memory of gateway", AT, values)], 600)["memory of gateway"]
    assert found.judgement == "flat"
    assert verdict("memory of gateway", found).holds


def test_a_quantity_that_grows_is_a_failure_and_one_that_nobody_knows_is_said() -> None:
    grown = trends([Line("connections", AT, [at / 10 for at in AT])], 600)["connections"]
    assert not verdict("connections", grown).holds
    unknown = verdict("connections", trend([], [], 1))
    assert unknown.holds is None
    assert "not known" in unknown.measured


def test_what_grows_while_the_stack_warms_up_is_not_known() -> None:
    growing = [Line("open files of gateway", AT, [35 + at for at in AT])]
    assert trends(growing, MIN_SECONDS)["open files of gateway"].judgement == "growing"
    assert trends(growing, MIN_SECONDS - 1)["open files of gateway"].judgement == "not known"


def test_a_process_has_memory_and_open_files_until_it_ends() -> None:
    assert private_bytes(os.getpid()) > 2**20
    assert open_files(os.getpid()) >= 3
    assert (private_bytes(2**30), open_files(2**30)) == (0, 0)


def test_tables_that_the_database_keeps_open_are_no_leak_but_deleted_ones_are(tmp_path: Path) -> None:
    before = open_files(os.getpid())
    folder = tmp_path / "base" / "16384"
    folder.mkdir(parents=True)
    with (folder / "2601").open("w"), (folder / "2601_fsm").open("w"):
        assert open_files(os.getpid()) == before
        (folder / "2601").unlink()
        assert open_files(os.getpid()) == before + 1
    assert kind_of("open files of triton") == "open files"
