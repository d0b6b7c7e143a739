"""When the GPU's answers count as the CPU's: the same label first, and no probability further off than a hundredth."""

from __future__ import annotations

import numpy as np
import pytest

from loadtest.gpu.agreement import compare

CPU = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])


def test_equal_answers_agree_and_the_closest_call_of_the_cpu_is_told() -> None:
    agreement = compare(CPU, CPU.copy())
    assert agreement.holds
    assert (agreement.compared, agreement.other_label, agreement.difference) == (2, 0, 0)
    assert agreement.margin == pytest.approx(0.3)


@pytest.mark.parametrize(("off", "holds"), [(0.009, True), (0.011, False)])
def test_a_probability_may_be_off_by_a_hundredth(off: float, *, holds: bool) -> None:
    gpu = CPU.copy()
    gpu[0, 0] += off
    assert compare(CPU, gpu).holds is holds


def test_another_label_first_is_no_agreement_however_near_it_is() -> None:
    cpu, gpu = np.array([[0.501, 0.499]]), np.array([[0.499, 0.501]])
    agreement = compare(cpu, gpu)
    assert agreement.difference < 0.01
    assert agreement.other_label == 1
    assert not agreement.holds


def test_what_is_not_a_number_never_agrees() -> None:
    gpu = CPU.copy()
    gpu[1, 0] = np.nan
    assert not compare(CPU, gpu).holds


def test_nothing_compared_is_no_agreement() -> None:
    with pytest.raises(ValueError, match="zero-size"):
        compare(CPU[:0], CPU[:0])


def test_answers_of_different_shapes_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="shapes"):
        compare(CPU, CPU[:1])
