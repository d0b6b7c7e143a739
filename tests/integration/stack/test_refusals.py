"""A start that cannot succeed: one clear message, and nothing left."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.integration.stack.conftest import Stack, make_stack


def test_a_release_that_cannot_be_loaded_ends_the_start_with_tritons_reason(stack: Stack) -> None:
    broken = stack.paths.model_repository / "classifier_9"
    (broken / "1").mkdir(parents=True)
    (broken / "config.pbtxt").write_text('backend: "onnxruntime"\nmax_batch_size: 1\n')
    registry = {"active": "9", "previous": None, "releases": {"9": "classifier_9"}}
    (stack.paths.model_repository / "releases.json").write_text(json.dumps(registry))
    refused = stack.frond("up", "--detach", "--port", "0")
    assert refused.returncode == 1
    assert refused.stderr.startswith("triton cannot start: model classifier_9 is not loaded: ")
    assert "`frond model rollback` returns to the release before" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not stack.remains()


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: the folder cannot be given away")
def test_a_folder_of_another_user_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    theirs = make_stack(tmp_path)
    theirs.paths.root.mkdir(parents=True, exist_ok=True)
    os.chown(theirs.paths.root, 65534, 65534)
    refused = theirs.frond("up", "--port", "0")
    assert refused.returncode == 1
    assert "belongs to user 65534, and this is user 0" in refused.stderr
    assert not list(theirs.paths.root.iterdir())


def test_a_damaged_registry_is_named(stack: Stack) -> None:
    stack.paths.model_repository.mkdir(parents=True, exist_ok=True)
    (stack.paths.model_repository / "releases.json").write_text("{")
    refused = stack.frond("up", "--port", "0")
    assert refused.returncode == 1
    assert "releases.json is damaged" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_state_folder_that_cannot_be_made_is_named(stack: Stack) -> None:
    impossible = Stack(stack.paths, {**stack.env, "FROND_STATE_DIR": "/proc/frond"})
    for command in ("up", "status", "down", "doctor"):
        done = impossible.frond(command)
        assert "Traceback" not in done.stderr
    assert "/proc/frond: No such file or directory" in impossible.frond("up").stderr


def test_a_disk_that_takes_no_more_is_named(stack: Stack, tmp_path: Path) -> None:
    """A limit on the size of files stands for it: the model does not fit."""
    limited = make_stack(tmp_path, ("prlimit", "--fsize=1000000", "--"))
    refused = limited.frond("up", "--port", "0")
    assert refused.returncode == 1
    assert "model.onnx: File too large. FROND_STATE_DIR names another folder" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not limited.remains()
