"""From logits to the answer: one assessment of several photos, some of which may be no leaf or no photo."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frond.types import Diagnosis
from preprocess.diagnosis import LogitsError, diagnose
from preprocess.errors import ImageError, TruncatedImageError
from tests.unit.preprocess.releases import LABELS, release

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preprocess.release import Release

BLIGHT, HEALTHY, BACKGROUND, ROT = range(len(LABELS))
BROKEN = TruncatedImageError("The photo ends before its last pixel.")


def logits(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


SURE_BLIGHT = logits(8, 1, 0, 0)
SURE_ROT = logits(0, 1, 0, 8)
SURE_BACKGROUND = logits(0, 1, 9, 0)
UNSURE = logits(1.1, 1, 0.9, 1)


def top(answer: dict[str, Any]) -> str:
    return str(answer["predictions"][0]["label"])


def outcome(answer: dict[str, Any]) -> tuple[bool, str | None]:
    return answer["abstained"], answer["abstainReason"]


def test_predictions_are_the_most_probable_labels_first_with_what_they_mean() -> None:
    answer = diagnose(release(), [logits(2, 1, 0, 3)], top_k=2)
    assert [prediction["label"] for prediction in answer["predictions"]] == [
        "Apple___Black_rot",
        "Tomato___Late_blight",
    ]
    first = answer["predictions"][0]
    assert (first["crop"], first["condition"], first["healthy"]) == ("Apple", "Black rot", False)
    assert first["confidence"] == pytest.approx(np.exp(3) / np.exp([0, 1, 2, 3]).sum())


def test_more_predictions_than_labels_are_all_labels() -> None:
    answer = diagnose(release(), [SURE_BLIGHT], top_k=100)
    assert len(answer["predictions"]) == len(LABELS)
    assert sum(prediction["confidence"] for prediction in answer["predictions"]) == pytest.approx(1)


def test_one_photo_says_what_the_whole_says() -> None:
    answer = diagnose(release(temperature=1.7), [SURE_BLIGHT], top_k=3)
    photo = answer["images"][0]
    assert [p["confidence"] for p in photo["predictions"]] == pytest.approx(
        [p["confidence"] for p in answer["predictions"]]
    )


def test_the_temperature_of_the_release_is_applied() -> None:
    cold, warm = (diagnose(release(temperature=t), [SURE_BLIGHT], 1)["predictions"][0] for t in (1, 3))
    assert warm["confidence"] < cold["confidence"]


def test_the_release_is_named_with_how_far_it_can_be_trusted() -> None:
    assert diagnose(release(temperature=1.3), [SURE_BLIGHT], 1)["model"] == {
        "name": "classifier",
        "version": "7",
        "temperature": 1.3,
        "calibrationError": 0.011,
    }


def test_photos_are_aggregated_by_their_mean_log_probability() -> None:
    answer = diagnose(release(), [logits(4, 0, 0, 3), logits(1, 0, 0, 3)], top_k=1)
    assert top(answer) == "Apple___Black_rot"  # log-odds against blight: -1 + 2


def test_a_photo_that_could_not_be_read_fails_alone() -> None:
    answer = diagnose(release(), [SURE_BLIGHT, BROKEN, SURE_BLIGHT], top_k=2)
    assert top(answer) == "Tomato___Late_blight"
    assert answer["images"][1] == {
        "predictions": [],
        "abstained": False,
        "abstainReason": None,
        "error": {
            "category": "validation",
            "code": "image_truncated",
            "message": "The photo ends before its last pixel.",
            "retryable": False,
            "retryAfterMs": None,
        },
    }
    assert answer["images"][0]["error"] is None


def test_without_any_readable_photo_there_are_no_predictions_and_nothing_is_abstained_from() -> None:
    answer = diagnose(release(min_confidence=0.9), [BROKEN, BROKEN], top_k=2)
    assert answer["predictions"] == []
    assert outcome(answer) == (False, None)
    assert len(answer["images"]) == 2


def test_a_photo_whose_top_label_is_the_background_is_not_a_leaf() -> None:
    answer = diagnose(release(min_confidence=0.99999), [SURE_BACKGROUND], top_k=1)
    assert outcome(answer) == outcome(answer["images"][0]) == (True, "not_a_leaf")
    assert top(answer) == "Background"


def test_a_photo_whose_log_odds_of_a_leaf_are_too_low_is_not_a_leaf() -> None:
    odds = float(np.log(np.exp([4, 1, 0]).sum())) - 3
    almost = logits(4, 1, 3, 0)
    assert outcome(diagnose(release(log_odds=odds - 0.01), [almost], 1)) == (False, None)
    assert outcome(diagnose(release(log_odds=odds + 0.01), [almost], 1)) == (True, "not_a_leaf")


def test_a_leaf_unlike_the_known_ones_is_low_confidence_however_sure_the_model_is() -> None:
    energy = float(np.log(np.exp([8, 1, 0]).sum()))
    assert outcome(diagnose(release(energy=energy - 0.01), [SURE_BLIGHT], 1)) == (False, None)
    assert outcome(diagnose(release(energy=energy + 0.01), [SURE_BLIGHT], 1)) == (True, "low_confidence")


def test_one_leaf_like_the_known_ones_is_enough_for_an_answer() -> None:
    strange = logits(4, -3, -4, -4)
    answer = diagnose(release(energy=5), [strange, SURE_BLIGHT], top_k=1)
    assert [outcome(image) for image in answer["images"]] == [(True, "low_confidence"), (False, None)]
    assert outcome(answer) == (False, None)


def test_an_unsure_photo_is_low_confidence() -> None:
    assert outcome(diagnose(release(min_confidence=0.4), [UNSURE], 1)) == (True, "low_confidence")
    assert outcome(diagnose(release(min_confidence=0.2), [UNSURE], 1)) == (False, None)


def test_a_photo_without_a_leaf_does_not_count_beside_one_with_a_leaf() -> None:
    answer = diagnose(release(), [SURE_BLIGHT, SURE_BACKGROUND, SURE_BACKGROUND], top_k=4)
    assert outcome(answer) == (False, None)
    assert answer["predictions"] == diagnose(release(), [SURE_BLIGHT], top_k=4)["predictions"]
    assert [outcome(image) for image in answer["images"]] == [(False, None), *[(True, "not_a_leaf")] * 2]


def test_when_no_photo_shows_a_leaf_all_readable_ones_count() -> None:
    answer = diagnose(release(), [SURE_BACKGROUND, BROKEN, SURE_BACKGROUND], top_k=1)
    assert outcome(answer) == (True, "not_a_leaf")
    assert top(answer) == "Background"


def test_two_sure_photos_that_contradict_each_other_are_low_confidence_together() -> None:
    answer = diagnose(release(min_confidence=0.6), [SURE_BLIGHT, SURE_ROT], top_k=1)
    assert [outcome(image) for image in answer["images"]] == [(False, None), (False, None)]
    assert outcome(answer) == (True, "low_confidence")


def test_leaves_that_agree_on_nothing_but_the_background_are_no_leaf_together() -> None:
    answer = diagnose(release(), [logits(5, 0, 4.9, -9), logits(-9, 0, 4.9, 5)], top_k=1)
    assert [outcome(image) for image in answer["images"]] == [(False, None), (False, None)]
    assert outcome(answer) == (True, "not_a_leaf")


def test_a_model_without_a_background_label_has_no_such_photos() -> None:
    answer = diagnose(release(background=None), [SURE_BACKGROUND], top_k=1)
    assert outcome(answer) == (False, None)


@pytest.mark.parametrize("bad", [logits(1, 2, 3), logits(1, 2, 3, np.nan), logits(1, 2, 3, np.inf), np.zeros((1, 4))])
def test_what_is_no_set_of_logits_is_the_models_fault(bad: NDArray[Any]) -> None:
    with pytest.raises(LogitsError):
        diagnose(release(), [bad], top_k=1)


def test_no_predictions_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="top_k"):
        diagnose(release(), [SURE_BLIGHT], top_k=0)


RELEASES = st.builds(
    release,
    temperature=st.floats(0.05, 20),
    log_odds=st.none() | st.floats(-10, 10),
    energy=st.none() | st.floats(-10, 10),
    min_confidence=st.floats(0, 1),
)
PHOTOS = st.lists(
    st.just(BROKEN) | st.lists(st.floats(-50, 50, width=32), min_size=4, max_size=4).map(lambda v: logits(*v)),
    min_size=1,
    max_size=8,
)


@given(RELEASES, PHOTOS, st.integers(1, 6))
def test_every_answer_has_the_shape_of_the_wire_contract(
    any_release: Release, photos: list[NDArray[np.float32] | ImageError], top_k: int
) -> None:
    answer = json.loads(json.dumps(diagnose(any_release, photos, top_k), allow_nan=False))
    images = [{**image, "sha256": "0" * 64} for image in answer["images"]]
    timing = {"queue": 0, "decode": 0, "infer": 0, "total": 0}
    diagnosis = Diagnosis.model_validate({**answer, "images": images, "timingMs": timing})
    assert len(diagnosis.images) == len(photos)
    confidences = [prediction.confidence for prediction in diagnosis.predictions]
    assert confidences == sorted(confidences, reverse=True)
    assert diagnosis.abstained == (diagnosis.abstain_reason is not None)
