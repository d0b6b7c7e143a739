"""The queueing formulas: where theory gives exact answers they are met, and a simulated queue agrees elsewhere."""

from __future__ import annotations

import heapq
import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.capacity.queueing import (
    OverloadedError,
    Time,
    batches,
    batching,
    between,
    erlang_c,
    gamma_quantile,
    together,
    wait,
)

seconds = st.floats(0.001, 1)
loads = st.floats(0.01, 0.97)
servers = st.integers(1, 60)


def exponential(mean: float) -> Time:
    return Time(mean, mean**2)


@given(service=seconds, load=loads, share=st.floats(0.05, 0.999))
def test_with_one_server_and_exponential_service_the_answer_time_is_that_of_mm1(
    service: float, load: float, share: float
) -> None:
    """Exponential, with the mean 1 / (μ - λ)."""
    mean = service / (1 - load)
    time = wait(1, load / service, exponential(service)) + exponential(service)
    assert time.mean == pytest.approx(mean)
    assert time.quantile(share) == pytest.approx(-mean * math.log(1 - share), rel=1e-6)


@given(service=seconds, load=loads, variability=st.floats(0, 4))
def test_with_one_server_the_wait_is_that_of_pollaczek_and_khinchine(
    service: float, load: float, variability: float
) -> None:
    expected = load * service * (1 + variability) / (2 * (1 - load))
    found = wait(1, load / service, Time(service, variability * service**2))
    assert found.mean == pytest.approx(expected)


def test_erlang_c_gives_the_tabulated_values() -> None:
    """Ten servers and eight erlangs, and two with one: 0.4092 and 1/3 (Cooper 1981, table)."""
    assert erlang_c(10, 8) == pytest.approx(0.4092, abs=5e-5)
    assert erlang_c(2, 1) == pytest.approx(1 / 3)


@given(servers=servers, service=seconds, low=loads, high=loads, share=st.floats(0.05, 0.999))
def test_more_load_is_never_answered_sooner(
    servers: int, service: float, low: float, high: float, share: float
) -> None:
    low, high = sorted((low, high))
    times = [
        (wait(servers, load * servers / service, exponential(service)) + exponential(service)).mean
        for load in (low, high)
    ]
    assert times[0] <= times[1] * (1 + 1e-9)


@given(servers=servers, service=seconds, load=loads)
def test_one_server_more_never_lengthens_the_wait(servers: int, service: float, load: float) -> None:
    rate = load * servers / service
    fewer, more = (wait(count, rate, exponential(service)).mean for count in (servers, servers + 1))
    assert more <= fewer


@given(servers=servers, service=seconds)
def test_without_load_nobody_waits(servers: int, service: float) -> None:
    assert wait(servers, 0.0, exponential(service)) == Time(0.0)


@given(servers=servers, excess=st.floats(1, 3))
def test_more_than_the_servers_can_do_is_an_error(servers: int, excess: float) -> None:
    with pytest.raises(OverloadedError):
        wait(servers, excess * servers / 0.01, exponential(0.01))


@given(mean=seconds, variability=st.floats(0.001, 5), low=st.floats(0.01, 0.99), high=st.floats(0.01, 0.99))
def test_a_higher_share_takes_no_less_time(mean: float, variability: float, low: float, high: float) -> None:
    time = Time(mean, variability * mean**2)
    low, high = sorted((low, high))
    assert time.quantile(low) <= time.quantile(high) * (1 + 1e-9)


def test_gamma_quantiles_are_those_of_the_chi_squared_table() -> None:
    """χ² with 2k degrees of freedom is twice a gamma of shape k."""
    assert 2 * gamma_quantile(5, 0.95) == pytest.approx(18.307, abs=1e-3)
    assert 2 * gamma_quantile(0.5, 0.95) == pytest.approx(3.841, abs=1e-3)


@pytest.mark.parametrize(
    ("servers", "load", "variability"), [(1, 0.7, 0.0), (2, 0.8, 0.25), (4, 0.9, 1.0), (8, 0.8, 0.0)]
)
def test_the_wait_is_that_of_a_simulated_queue(servers: int, load: float, variability: float) -> None:
    """Within a tenth of Allen and Cunneen's: gamma distributed service, half a million customers, one fixed seed."""
    simulated = mean_wait_of_simulation(servers, load * servers, variability, 500_000)
    predicted = wait(servers, load * servers, Time(1.0, variability)).mean
    assert predicted == pytest.approx(simulated, rel=0.1)


def mean_wait_of_simulation(servers: int, rate: float, variability: float, customers: int) -> float:
    chance = random.Random(11)
    free_at = [0.0] * servers
    now = waited = 0.0
    for _ in range(customers):
        now += chance.expovariate(rate)
        begins = max(now, heapq.heappop(free_at))
        waited += begins - now
        service = chance.gammavariate(1 / variability, variability) if variability else 1.0
        heapq.heappush(free_at, begins + service)
    return waited / customers


@given(alone=seconds, share=st.floats(0.05, 1))
def test_a_batching_server_with_nothing_to_do_takes_as_long_as_alone(alone: float, share: float) -> None:
    time = batching(1e-9, alone, share * alone)
    assert time.mean == pytest.approx(alone)
    assert time.variance == pytest.approx(0.0, abs=1e-6)


@given(alone=seconds, share=st.floats(0.1, 1), low=st.floats(0.01, 0.9), high=st.floats(0.01, 0.9))
def test_more_load_on_a_batching_server_is_never_answered_sooner(
    alone: float, share: float, low: float, high: float
) -> None:
    each = share * alone
    low, high = sorted((low, high))
    assert batching(low / each, alone, each).mean <= batching(high / each, alone, each).mean * (1 + 1e-6)


@pytest.mark.parametrize("load", [0.2, 0.5, 0.8, 0.9])
def test_batching_is_that_of_a_simulated_server(load: float) -> None:
    """Alone 1 s, a quarter more for each one more."""
    mean, variance = simulated_batching(load / 0.25, 1.0, 0.25, 300_000)
    predicted = batching(load / 0.25, 1.0, 0.25)
    assert predicted.mean == pytest.approx(mean, rel=0.03)
    assert predicted.variance == pytest.approx(variance, rel=0.1)


def simulated_batching(rate: float, alone: float, each: float, customers: int) -> tuple[float, float]:
    chance = random.Random(3)
    now, arrivals = 0.0, []
    for _ in range(customers):
        now += chance.expovariate(rate)
        arrivals.append(now)
    times: list[float] = []
    free_at, first = 0.0, 0
    while first < customers:
        begins = max(free_at, arrivals[first])
        last = first + 1
        while last < customers and arrivals[last] <= begins:
            last += 1
        free_at = begins + alone + each * (last - first - 1)
        times.extend(free_at - arrival for arrival in arrivals[first:last])
        first = last
    return statistics.fmean(times), statistics.pvariance(times)


def test_a_batching_server_that_is_too_slow_is_an_error() -> None:
    with pytest.raises(OverloadedError):
        batching(4.0, 1.0, 0.25)


@given(load=loads, batch=st.integers(1, 64), per_second=st.floats(1, 5000), servers=st.integers(1, 8))
def test_batches_never_take_less_than_one_of_their_own(
    load: float, batch: int, per_second: float, servers: int
) -> None:
    time = batches(servers, load * servers * per_second, per_second, batch)
    assert time.mean >= 1.5 * batch / per_second * (1 - 1e-9)


def test_batches_bound_a_simulated_gpu_from_above() -> None:
    """Which takes what waits, up to 8 at once, and as long for any number of them."""
    for load in (0.2, 0.6, 0.9):
        assert batches(1, load * 8, 8.0, 8).mean >= mean_time_of_batches(load * 8, 8, 200_000)


def mean_time_of_batches(rate: float, batch: int, customers: int) -> float:
    """One batch takes a second."""
    chance = random.Random(5)
    now = free_at = total = 0.0
    arrivals = []
    for _ in range(customers):
        now += chance.expovariate(rate)
        arrivals.append(now)
    first = 0
    while first < customers:
        begins = max(free_at, arrivals[first])
        last = first
        while last < customers and last - first < batch and arrivals[last] <= begins:
            last += 1
        free_at = begins + 1.0
        total += sum(free_at - arrival for arrival in arrivals[first:last])
        first = last
    return total / customers


@given(alone=seconds, share=st.floats(0.05, 1), callers=st.integers(1, 100))
def test_callers_together_keep_the_bounds(alone: float, share: float, callers: int) -> None:
    """One gives one answer at a time; ever more approach what batches can do."""
    each = share * alone
    assert together(1, alone, each) == pytest.approx(1 / alone)
    assert together(callers, alone, each) <= together(callers + 1, alone, each) * (1 + 1e-9) <= 1 / each * (1 + 1e-6)


def test_between_measured_points_lies_a_straight_line() -> None:
    points = [(12.0, 24.0), (0.0, 0.0), (1.0, 2.0)]
    assert [between(points, x) for x in (0.5, 6.5, 12.0, 24.0)] == [1.0, 13.0, 24.0, 48.0]


def test_beyond_the_measured_points_nothing_becomes_cheaper_than_the_nearest() -> None:
    """A figure that fell by chance between two sizes must not reach zero."""
    assert between([(1.0, 2.0), (12.0, 1.0)], 50.0) == 1.0
    assert between([(1.0, 2.0)], 50.0) == 2.0
