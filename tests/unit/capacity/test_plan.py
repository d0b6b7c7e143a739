"""Plans: more load needs no less of anything, and what is planned keeps its promises."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.capacity import measured
from cli.capacity.plan import Gpu, ImpossibleError, Load, plan

LOAD = Load(
    rate=200, daily_requests=1e6, megapixels=12, photos=1, target_seconds=5, share=0.95, utilisation=0.7, spare=1
)
SHIPPED = measured.read()
GPU = Gpu(per_second=1000, batch=64)

rates = st.floats(0.1, 5000)
gpus = st.sampled_from([None, GPU])


@given(rate=rates, factor=st.floats(1, 10), gpu=gpus)
def test_more_load_needs_no_fewer_of_anything(rate: float, factor: float, gpu: Gpu | None) -> None:
    less, more = (plan(replace(LOAD, rate=each), SHIPPED, gpu) for each in (rate, rate * factor))
    for few, many in zip(less.stations, more.stations, strict=True):
        assert few.servers <= many.servers


@given(rate=rates, gpu=gpus, megapixels=st.floats(0.05, 50), photos=st.integers(1, 8))
def test_nothing_is_busier_than_was_allowed_and_the_target_is_kept(
    rate: float, gpu: Gpu | None, megapixels: float, photos: int
) -> None:
    found = plan(replace(LOAD, rate=rate, megapixels=megapixels, photos=photos), SHIPPED, gpu)
    assert all(each.utilisation <= LOAD.utilisation * (1 + 1e-9) for each in found.stations)
    assert found.p50 <= found.p95 <= LOAD.target_seconds
    assert found.p95 <= found.p99


def test_a_shorter_target_is_met_with_more_servers() -> None:
    usual = plan(replace(LOAD, utilisation=0.95), SHIPPED, None)
    target = usual.p95 * 0.8
    quick = plan(replace(LOAD, utilisation=0.95, target_seconds=target), SHIPPED, None)
    assert quick.p95 <= target
    assert sum(each.servers for each in quick.stations) > sum(each.servers for each in usual.stations)


def test_a_target_below_the_work_itself_is_impossible() -> None:
    with pytest.raises(ImpossibleError, match="nothing to wait for"):
        plan(replace(LOAD, target_seconds=0.001), SHIPPED, None)


def test_a_gpu_takes_the_classifier_off_the_cores() -> None:
    with_gpu, without = plan(LOAD, SHIPPED, GPU), plan(LOAD, SHIPPED, None)
    assert [each.name for each in with_gpu.stations][-1] == "GPUs"
    assert [each.name for each in without.stations][-1] == "Triton servers of 2 cores"
    assert with_gpu.stations[-2].servers < without.stations[-1].servers


def test_a_gpu_that_is_twice_as_fast_is_needed_half_as_often() -> None:
    slow = plan(replace(LOAD, rate=2000), SHIPPED, Gpu(100, 64)).stations[-1].servers
    fast = plan(replace(LOAD, rate=2000), SHIPPED, Gpu(200, 64)).stations[-1].servers
    assert fast == pytest.approx(slow / 2, abs=1)


def test_the_table_grows_with_the_day_and_its_writes_with_the_peak() -> None:
    base = plan(LOAD, SHIPPED, None).database
    longer = plan(replace(LOAD, daily_requests=2e6), SHIPPED, None).database
    faster = plan(replace(LOAD, rate=400), SHIPPED, None).database
    assert (longer.rows, longer.table_bytes) == (2 * base.rows, 2 * base.table_bytes)
    assert longer.flushes_per_second == base.flushes_per_second
    assert (faster.rows, faster.flushes_per_second) == (base.rows, 2 * base.flushes_per_second)


def test_a_size_that_was_measured_costs_what_was_measured() -> None:
    for request in SHIPPED.requests:
        found = SHIPPED.request(request.megapixels)
        assert found.cpu_seconds.model_dump() == pytest.approx(request.cpu_seconds.model_dump())
        assert found.photo_bytes == pytest.approx(request.photo_bytes)
