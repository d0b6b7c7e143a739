"""One assessment through `diagnose`: what is answered, and what is refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from tritonclient.utils import InferenceServerException

from frond.types import Diagnosis
from tests.integration.serving.assessments import ask
from tests.integration.serving.conftest import count
from tests.integration.serving.photos import jpeg, slow_png

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOW = slow_png()


def test_the_answer_is_the_contracts_less_what_only_the_gateway_knows(client: Any) -> None:
    answer = ask(client, [jpeg(), jpeg()])
    assert answer["timingMs"].keys() == {"decode", "infer"}
    images = [{**image, "sha256": "0" * 64} for image in answer["images"]]
    timing = {**answer["timingMs"], "queue": 0, "total": 0}
    diagnosis = Diagnosis.model_validate({**answer, "images": images, "timingMs": timing})
    assert (diagnosis.model.name, diagnosis.model.version) == ("classifier", "1")
    assert diagnosis.timing_ms.decode > 0
    assert diagnosis.timing_ms.infer > 0


def test_five_predictions_are_given_unless_asked_otherwise(client: Any) -> None:
    assert len(ask(client, [jpeg()])["predictions"]) == 5
    assert len(ask(client, [jpeg()], top_k=2)["predictions"]) == 2
    assert len(ask(client, [jpeg()], top_k=100)["images"][0]["predictions"]) == 29


def test_eight_photos_are_each_answered_as_they_are_alone(client: Any) -> None:
    photos = [jpeg(200 + 40 * index, 300, brightness=30 * index) for index in range(8)]
    together = ask(client, photos)["images"]
    alone = [ask(client, [photo])["images"][0] for photo in photos]
    assert [confidences(image) for image in together] == [
        pytest.approx(confidences(image), abs=1e-5) for image in alone
    ]


def confidences(image: dict[str, Any]) -> dict[str, float]:
    return {prediction["label"]: prediction["confidence"] for prediction in image["predictions"]}


def test_a_broken_photo_fails_alone(client: Any) -> None:
    photo = jpeg()
    answer = ask(client, [photo, photo[:-200], b"", b"no photo", photo])
    errors = [image["error"] and image["error"]["code"] for image in answer["images"]]
    assert errors == [None, "image_truncated", "image_empty", "image_type_unsupported", None]
    assert [len(image["predictions"]) for image in answer["images"]] == [5, 0, 0, 0, 5]
    assert answer["predictions"] == ask(client, [photo])["predictions"]


def test_when_no_photo_can_be_read_the_answer_says_so_for_each_and_the_classifier_is_not_asked(client: Any) -> None:
    before = count(client, "classifier")
    answer = ask(client, [b"", b"no photo"])
    assert (answer["predictions"], answer["abstained"]) == ([], False)
    assert all(image["error"]["category"] == "validation" for image in answer["images"])
    assert count(client, "classifier") == before


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"top_k": 0}, "top_k is 0; it must be between 1 and 100."),
        ({"top_k": 101}, "top_k is 101; it must be between 1 and 100."),
        ({"top_k": "5"}, "top_k is '5'; it must be a whole number."),
        ({"top_k": True}, "top_k is True; it must be a whole number."),
        ({"budget_ms": "soon"}, "budget_ms is 'soon'; it must be a whole number."),
        ({"version": 1}, "version is 1; it must be a text."),
    ],
)
def test_a_wrong_option_is_an_invalid_argument(parameters: dict[str, Any], reason: str, client: Any) -> None:
    assert refusal(client, [jpeg()], **parameters) == ("StatusCode.INVALID_ARGUMENT", reason)


@pytest.mark.parametrize("photos", [0, 9])
def test_photos_are_one_to_eight(photos: int, client: Any) -> None:
    code, _ = refusal(client, [jpeg()] * photos)
    assert code == "StatusCode.INVALID_ARGUMENT"


def test_an_unknown_version_is_not_found(client: Any) -> None:
    assert refusal(client, [jpeg()], version="9") == ("StatusCode.NOT_FOUND", "There is no release '9'.")


def test_without_the_classifier_the_answer_is_unavailable(client: Any, without_classifier: None) -> None:
    assert refusal(client, [jpeg()]) == ("StatusCode.UNAVAILABLE", "The classifier is not available.")


@pytest.fixture
def without_classifier(client: Any) -> Iterator[None]:
    client.unload_model("classifier")
    yield
    client.load_model("classifier")


@pytest.mark.parametrize("budget_ms", [0, -5])
def test_a_budget_that_is_gone_decodes_nothing(budget_ms: int, client: Any) -> None:
    decoding_ms = ask(client, [SLOW] * 2)["timingMs"]["decode"]
    before, started = count(client, "classifier"), time.monotonic()
    code, reason = refusal(client, [SLOW] * 2, budget_ms=budget_ms)
    assert (code, reason) == ("StatusCode.CANCELLED", "The budget was gone before the diagnosis.")
    assert (time.monotonic() - started) * 1000 < decoding_ms
    assert count(client, "classifier") == before


def test_a_budget_that_decoding_uses_up_does_not_reach_the_classifier(client: Any) -> None:
    before = count(client, "classifier")
    code, reason = refusal(client, [SLOW], budget_ms=30)
    assert (code, reason) == ("StatusCode.CANCELLED", "The budget was gone before the diagnosis.")
    assert count(client, "classifier") == before


def test_a_caller_that_hangs_up_while_photos_are_decoded_does_not_reach_the_classifier(client: Any) -> None:
    classifier, diagnose = count(client, "classifier"), count(client, "diagnose")
    code, _ = refusal(client, [SLOW] * 4, client_timeout=0.1)
    assert code == "StatusCode.DEADLINE_EXCEEDED"
    count(client, "diagnose", at_least=diagnose.requests + 1)
    assert count(client, "classifier") == classifier


def refusal(client: Any, photos: list[bytes], **options: Any) -> tuple[str, str]:
    with pytest.raises(InferenceServerException) as error:
        ask(client, photos, **options)
    return str(error.value.status()), str(error.value.message())
