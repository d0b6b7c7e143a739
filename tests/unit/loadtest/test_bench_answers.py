"""Which answers of a target are right enough for it to be timed."""

from __future__ import annotations

import json

import pytest

from loadtest.bench.answers import WrongAnswerError, check, of_json, reference
from loadtest.bench.photos import photo

RIGHT = [("scab", 0.9), ("rot", 0.05), ("rust", 0.03), ("mould", 0.01), ("healthy", 0.005)]


def changed(place: int, label: str, confidence: float) -> list[tuple[str, float]]:
    return [*RIGHT[:place], (label, confidence), *RIGHT[place + 1 :]]


def test_the_same_label_with_nearly_the_same_probability_is_right() -> None:
    check("peer", "1mp", changed(0, "scab", 0.92), RIGHT)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(changed(0, "rot", 0.9), id="another first label"),
        pytest.param(changed(0, "scab", 0.8), id="another probability"),
        pytest.param(RIGHT[::-1], id="the least probable first"),
        pytest.param(RIGHT[:1], id="one label only"),
        pytest.param([], id="none"),
    ],
)
def test_anything_else_is_refused_with_the_targets_name(answer: list[tuple[str, float]]) -> None:
    with pytest.raises(WrongAnswerError, match=r"^peer answers"):
        check("peer", "1mp", answer, RIGHT)


def test_the_reference_is_right_by_its_own_measure_and_names_a_leaf_disease() -> None:
    expected = reference(photo("256px"))
    check("reference", "256px", expected, expected)
    assert expected[0][0] == "Apple___Apple_scab"


def test_the_peers_list_is_read_as_labels_with_probabilities() -> None:
    body = json.dumps([{"label": label, "confidence": confidence} for label, confidence in RIGHT]).encode()
    assert of_json(body) == RIGHT
