"""Log files of the parts."""

from __future__ import annotations

from pathlib import Path

from stack import logs
from stack.command import log_tail


def test_a_start_keeps_the_last_runs_log_and_begins_anew(tmp_path: Path) -> None:
    log = tmp_path / "triton.log"
    log.write_text("last run")
    logs.begin(log)
    assert log.read_text() == ""
    assert (tmp_path / "triton.log.1").read_text() == "last run"


def test_a_log_over_the_limit_is_emptied_under_the_part_that_writes_it(tmp_path: Path) -> None:
    log = tmp_path / "triton.log"
    log.touch(mode=0o600)
    with log.open("ab", buffering=0) as part:
        part.write(b"x" * (logs.LIMIT_BYTES + 1))
        logs.bound(log)
        part.write(b"after")
    assert log.read_bytes() == b"after"
    previous = (tmp_path / "triton.log.1").stat()
    assert (previous.st_size, previous.st_mode & 0o777) == (logs.LIMIT_BYTES + 1, 0o600)


def test_a_log_below_the_limit_stays(tmp_path: Path) -> None:
    log = tmp_path / "triton.log"
    log.write_bytes(b"x" * logs.LIMIT_BYTES)
    logs.bound(log)
    assert log.stat().st_size == logs.LIMIT_BYTES


def test_the_end_of_a_log_leaves_out_tritons_tables(tmp_path: Path) -> None:
    log = tmp_path / "triton.log"
    log.write_text("early\n" * 10_000 + "+-----+\n| rate |\nE1123 the reason\n")
    tail = log_tail(log)
    assert tail.endswith("E1123 the reason")
    assert "rate" not in tail
    assert len(tail) < 9000
