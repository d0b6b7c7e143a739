"""The gateway's look into the model repository: a release that a setting names and the repository does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gateway.card.store import RepositoryCards

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    content = {"active": "1", "releases": {"1": "classifier_1", "2": "classifier_2"}}
    (tmp_path / "releases.json").write_text(json.dumps(content))
    return tmp_path


def test_a_release_that_is_not_there_is_told_with_those_that_are(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    RepositoryCards(repository).warn_unless_named("77", "FROND_CANARY_VERSION")
    assert caplog.messages == ["FROND_CANARY_VERSION=77 names no release of the model repository: 1, 2"]


def test_a_release_that_is_there_is_nothing_to_tell(repository: Path, caplog: pytest.LogCaptureFixture) -> None:
    RepositoryCards(repository).warn_unless_named("2", "FROND_CANARY_VERSION")
    assert caplog.messages == []


@pytest.mark.parametrize("is_named", [True, False], ids=["an empty folder", "no folder"])
def test_without_a_repository_nothing_is_claimed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, is_named: bool
) -> None:
    RepositoryCards(tmp_path if is_named else None).warn_unless_named("77", "FROND_CANARY_VERSION")
    assert caplog.messages == []
