"""A program to run as a child of ours: argv and environment, started so that it never outlives its parent."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a child may inherit; everything else that it reads, its Command names.
INHERITED = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER")
TAIL_BYTES = 8000
TABLE_MARKS = ("|", "+")  # of the tables of its options that Triton writes


@dataclass(frozen=True, slots=True)
class Command:
    """argv and environment of a child, and the signal that the kernel sends it when its parent dies."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    parent_death_signal: signal.Signals = signal.SIGKILL
    privileges: tuple[str, ...] = ()  # options of setpriv: another account, fewer capabilities

    def full_argv(self) -> list[str]:
        """argv below `setpriv`, which sets the death signal after the change of account: that change clears it."""
        death = f"--pdeathsig={self.parent_death_signal.name.removeprefix('SIG')}"
        return ["setpriv", *self.privileges, death, "--", *self.argv]

    def full_env(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        programs = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
        return {**inherited, "PATH": programs, **self.env}


def start(command: Command, log: Path) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, out of reach of the terminal's signals; its output is appended to `log`.

    Call it from a thread that lives as long as the parent should: the kernel's death signal follows the thread.
    """
    with log.open("ab") as output:
        try:
            return subprocess.Popen(
                command.full_argv(),
                env=command.full_env(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
            )
        except FileNotFoundError as error:
            raise StackError("setpriv is not on the PATH. Install util-linux (apt-get install util-linux).") from error


def stop(process: subprocess.Popen[bytes], first: signal.Signals, seconds: float) -> None:
    """Ask with `first`, wait up to `seconds`, then kill the whole process group; returns when the child is gone."""
    if process.poll() is None:
        process.send_signal(first)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    kill_group(process)
    process.wait()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to everything in the child's process group, the child's own children too when it is gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def log_tail(log: Path) -> str:
    """The end of a log, for a message about why a part did not start."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return "(no log)"
    return "\n".join(line for line in lines if not line.startswith(TABLE_MARKS))
