"""The `frond` command as a whole."""

from __future__ import annotations

import sys

import pytest

from cli.app import COMMANDS, command_app, main


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """`frond …` in this process; its exit status."""
    monkeypatch.setattr(sys, "argv", ["frond", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    return code if isinstance(code, int) else 0


def test_help_lists_every_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--help") == 0
    output = capsys.readouterr().out
    assert all(f" {name} " in output for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_loaded_alone(name: str) -> None:
    app = command_app([name])
    assert len(app.registered_commands) + len(app.registered_groups) == 1


def test_an_error_is_one_line_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FROND_STATE_DIR", "/proc/frond")
    assert run(monkeypatch, "up", "--port", "0") == 1
    error = capsys.readouterr().err
    assert error == ("/proc/frond: No such file or directory. FROND_STATE_DIR names another folder for the state.\n")


def test_a_command_that_needs_a_running_stack_says_how_to_start_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    monkeypatch.setenv("FROND_STATE_DIR", str(tmp_path))
    assert run(monkeypatch, "status") == 3
    assert capsys.readouterr().out == "Frond is not running. `frond up` starts it.\n"


def test_an_unknown_command_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "bogus") == 2
    assert "bogus" in capsys.readouterr().err
