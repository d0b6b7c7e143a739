"""Start and stop a supervisor in the background."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from stack import leftovers, lock
from stack.errors import StackError
from stack.paths import ROOT, StatePaths
from stack.runtime import unusable_folder
from stack.state import State, read_state, read_status

if TYPE_CHECKING:
    from stack.supervisor import OnStatus

# The sum of the parts' own limits, and a little.
STOP_SECONDS = 45.0
POLL_SECONDS = 0.1


def start_detached(paths: StatePaths, port: int, on_status: OnStatus) -> State:
    """Start a supervisor in a session of its own and return when all is ready; raises StackError with its message."""
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "stack", str(port)],
        env={**os.environ, "FROND_STATE_DIR": str(paths.root), "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        return _wait_until_ready(supervisor, paths, on_status)
    except BaseException:
        supervisor.terminate()
        supervisor.wait()
        raise


def stop(paths: StatePaths) -> bool:
    """Stop what runs here and end what a killed supervisor left; returns whether a supervisor was running."""
    try:
        was_running = lock.is_locked(paths.lock)
        if was_running:
            _stop_supervisor(paths)
        if paths.root.exists():
            leftovers.end(paths)
    except OSError as error:
        raise unusable_folder(paths, error) from error
    return was_running


def _wait_until_ready(supervisor: subprocess.Popen[str], paths: StatePaths, on_status: OnStatus) -> State:
    while supervisor.poll() is None:
        status = read_status(paths)
        if status and status.supervisor_pid == supervisor.pid:
            on_status(status)
            if status.was_ready and (state := read_state(paths)):
                return state
        time.sleep(POLL_SECONDS)
    _, message = supervisor.communicate()
    error = StackError(message.strip() or f"The supervisor ended with exit status {supervisor.returncode}.")
    error.exit_code = max(1, supervisor.returncode)
    raise error


def _stop_supervisor(paths: StatePaths) -> None:
    """SIGTERM, and SIGKILL when that takes too long: its guardian ends the parts. The lock is free when all is gone."""
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, lock.PATIENCE_SECONDS)):
        holder = lock.holder_pid(paths.lock)
        with contextlib.suppress(ProcessLookupError):
            if holder:
                os.kill(holder, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not lock.is_locked(paths.lock):
                return
            time.sleep(POLL_SECONDS)
    raise StackError(
        f"Something in {paths.root} does not end; `ps` shows processes with {leftovers.MARK} in their environment."
    )
