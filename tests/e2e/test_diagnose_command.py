"""`frond diagnose` over the whole stack."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from PIL import Image

from cli.sample import draw_sample
from frond.types import DiagnosisResponse
from tests.local_stack import LocalStack


@pytest.fixture
def leaf(tmp_path: Path) -> Path:
    path = tmp_path / "leaf.jpg"
    path.write_bytes(draw_sample())
    return path


def test_the_answer_as_json_is_the_contracts(stack: LocalStack, leaf: Path) -> None:
    done = stack.frond("diagnose", str(leaf), "--json", "--top-k", "3")
    assert done.returncode == 0, done.stderr
    response = DiagnosisResponse.model_validate(json.loads(done.stdout))
    assert response.success
    assert response.result is not None
    assert len(response.result.predictions) == 3
    assert response.result.model.version == "1"
    assert response.result.timing_ms.total >= response.result.timing_ms.infer > 0


def test_three_photos_of_which_one_is_broken_are_two_answers_and_one_typed_error(
    stack: LocalStack, leaf: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(leaf.read_bytes()[:2000])
    second = tmp_path / "second.jpg"
    second.write_bytes(leaf.read_bytes())
    done = stack.frond("diagnose", str(leaf), str(broken), str(second), "--json")
    assert done.returncode == 0, done.stderr
    result = DiagnosisResponse.model_validate(json.loads(done.stdout)).result
    assert result is not None
    assert [bool(image.predictions) for image in result.images] == [True, False, True]
    assert [image.error.code if image.error else None for image in result.images] == [None, "image_truncated", None]


def test_the_picture_for_the_terminal_names_the_first_prediction_and_the_broken_photo(
    stack: LocalStack, leaf: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 nothing")
    done = stack.frond("diagnose", str(leaf), str(broken))
    assert done.returncode == 0, done.stderr
    assert "█" in done.stdout
    assert "broken.jpg" in done.stdout
    assert "image_" in done.stdout


def test_a_file_that_is_no_photo_is_a_validation_error_and_exit_status_1(stack: LocalStack, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a photo")
    done = stack.frond("diagnose", str(text), "--json")
    assert done.returncode == 1
    response = DiagnosisResponse.model_validate(json.loads(done.stdout))
    assert response.error is not None
    assert response.error.category == "validation"
    assert response.error.message == "The photo is neither JPEG, PNG, WebP nor HEIC."


def test_the_same_key_again_gives_the_same_answer(stack: LocalStack, leaf: Path) -> None:
    request = ("diagnose", str(leaf), "--json", "--key", str(uuid.uuid4()))
    first, second = stack.frond(*request), stack.frond(*request)
    assert json.loads(first.stdout)["success"]
    assert second.stdout == first.stdout


def test_the_same_key_for_another_photo_is_a_validation_error(stack: LocalStack, leaf: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jpg"
    Image.new("RGB", (300, 300), "green").save(other)
    key = str(uuid.uuid4())
    assert stack.frond("diagnose", str(leaf), "--key", key).returncode == 0
    done = stack.frond("diagnose", str(other), "--json", "--key", key)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["category"] == "validation"


def test_a_token_that_nobody_signed_is_an_auth_error(stack: LocalStack, leaf: Path) -> None:
    url = stack.state()["gateway_url"]
    done = stack.frond("diagnose", str(leaf), "--json", "--url", url, "--token", "a.b.c")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["category"] == "auth"


def test_a_token_of_the_token_command_is_accepted(stack: LocalStack, leaf: Path) -> None:
    token = stack.frond("token", "--user", str(uuid.uuid4())).stdout.strip()
    url = stack.state()["gateway_url"]
    assert stack.frond("diagnose", str(leaf), "--url", url, "--token", token).returncode == 0


def test_a_missing_file_is_one_line_on_standard_error(stack: LocalStack) -> None:
    done = stack.frond("diagnose", "nowhere.jpg")
    assert done.returncode == 1
    assert done.stderr.strip() == "nowhere.jpg cannot be read: No such file or directory."


def test_without_a_running_stack_the_command_says_how_to_start_one(tmp_path: Path, leaf: Path) -> None:
    done = LocalStack(tmp_path / "empty").frond("diagnose", str(leaf))
    assert done.returncode == 1
    assert "frond up" in done.stderr


def test_too_many_photos_are_refused_before_anything_is_sent(stack: LocalStack, leaf: Path) -> None:
    done = stack.frond("diagnose", *[str(leaf)] * 9)
    assert done.returncode == 1
    assert done.stderr.strip() == "One assessment has at most 8 photos; these are 9."
