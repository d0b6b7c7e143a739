"""The start of the stack as the user sees it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cli.progress import Progress
from stack.state import PartStatus, Status

if TYPE_CHECKING:
    import pytest

PART = PartStatus("triton", "127.0.0.1:1")


def status(part: PartStatus) -> Status:
    return Status(1, 0.0, was_ready=False, parts=(part,))


def test_without_a_terminal_each_change_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    starting = replace(PART, state="starting")
    with Progress() as progress:
        for part in (PART, starting, starting, replace(PART, state="ready", ready_after_seconds=2.04)):
            progress.update(status(part))
    assert capsys.readouterr().out == "triton: starting\ntriton: ready after 2.0 s\n"


def test_what_went_wrong_stands_behind_the_state(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.update(status(replace(PART, state="restarting", note="was ended by SIGKILL")))
    assert capsys.readouterr().out == "triton: restarting: was ended by SIGKILL\n"


def test_lines_and_changes_come_in_the_order_in_which_they_were_said(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.say("before")
        progress.update(status(replace(PART, state="ready")))
        progress.say("after")
    assert capsys.readouterr().out == "before\ntriton: ready\nafter\n"
