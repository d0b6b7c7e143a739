"""Secrets that are replaced while the gateway runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gateway.uploads.secret_files import SecretFiles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "id").write_text("id-1\n")
    (tmp_path / "secret").write_text("secret-1\n")
    return tmp_path


def test_secrets_are_read_without_the_line_end(folder: Path) -> None:
    assert SecretFiles(folder / "id", folder / "secret").current() == ("id-1", "secret-1")


def test_a_replaced_file_is_read_again_and_the_value_before_is_remembered(folder: Path) -> None:
    files = SecretFiles(folder / "id", folder / "secret")
    (folder / "new").write_text("secret-2")
    (folder / "new").replace(folder / "secret")
    assert files.values() == [("id-1", "secret-2"), ("id-1", "secret-1")]


def test_a_file_that_is_written_anew_with_the_same_content_changes_nothing(folder: Path) -> None:
    files = SecretFiles(folder / "id", folder / "secret")
    os.utime(folder / "secret", (0, 0))
    assert files.values() == [("id-1", "secret-1")]


@pytest.mark.parametrize("fault", ["empty", "gone"])
def test_a_file_that_is_empty_or_gone_for_a_moment_is_looked_at_again(folder: Path, fault: str) -> None:
    files = SecretFiles(folder / "id", folder / "secret")
    (folder / "secret").write_text("")
    if fault == "gone":
        (folder / "secret").unlink()
    assert files.current() == ("id-1", "secret-1")
    (folder / "secret").write_text("secret-2")
    assert files.current() == ("id-1", "secret-2")


def test_secrets_must_be_there_at_the_start(folder: Path) -> None:
    (folder / "secret").write_text("\n")
    with pytest.raises(ValueError, match="holds 0 bytes"):
        SecretFiles(folder / "id", folder / "secret")
