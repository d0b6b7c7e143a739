"""Nothing is left over, however the stack ends."""

from __future__ import annotations

import contextlib
import os
import pty
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from stack import control, lock, triton
from tests.integration.stack.conftest import DEADLINE_SECONDS, Stack, eventually, make_stack

ORDINARY_USER = "nobody"
# What Docker leaves to root by default.
CONTAINER = ("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_bind_service")


def test_down_and_status_of_a_stack_that_does_not_run(stack: Stack) -> None:
    assert stack.frond("down").returncode == 0
    assert stack.frond("status").returncode == 3
    assert stack.report()["state"] == "not running"


def test_sigterm_stops_the_foreground_in_reverse_order(stack: Stack) -> None:
    process = stack.foreground(stdout=subprocess.PIPE)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0
    stopped = [line for line in output.splitlines() if line.endswith(": stopped")]
    assert stopped == ["gateway: stopped", "triton: stopped", "postgres: stopped"]
    assert not stack.remains()


def test_a_terminal_that_goes_away_takes_everything_along(stack: Stack) -> None:
    terminal, inside = pty.openpty()
    process = stack.foreground(stdin=inside, stdout=inside, stderr=inside, preexec_fn=lambda: os.login_tty(inside))
    os.close(inside)
    os.close(terminal)  # the kernel sends SIGHUP, and every write fails from here on
    process.wait(DEADLINE_SECONDS)
    assert process.returncode == 0
    assert not stack.remains()


def test_ctrl_c_in_a_terminal_stops_it(stack: Stack) -> None:
    terminal, inside = pty.openpty()
    process = stack.foreground(stdin=inside, stdout=inside, stderr=inside, preexec_fn=lambda: os.login_tty(inside))
    os.close(inside)
    os.write(terminal, b"\x03")
    with contextlib.suppress(OSError):  # the end of a terminal
        while os.read(terminal, 4096):
            pass
    assert process.wait(DEADLINE_SECONDS) == 0
    os.close(terminal)
    assert not stack.remains()


def test_a_killed_supervisor_leaves_nothing_even_where_a_python_process_hangs(stack: Stack) -> None:
    supervisor = stack.up().supervisor_pid
    os.kill(stack.stubs()[0].pid, signal.SIGSTOP)
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not lock.is_locked(stack.paths.lock), seconds=15)
    assert not stack.remains()
    assert stack.frond("status").returncode == 3


async def test_up_after_the_death_of_everybody_clears_what_is_left_and_finds_the_data(stack: Stack) -> None:
    supervisor = stack.up().supervisor_pid
    connection = await asyncpg.connect(stack.owner_url())
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    orphan = stack.stubs()[0].pid
    os.kill(orphan, signal.SIGSTOP)  # so that it cannot end by itself
    for pid in (stack.guardian().pid, supervisor, stack.pid("postgres")):
        os.kill(pid, signal.SIGKILL)
    await connection.close(timeout=1)
    eventually(lambda: not lock.is_locked(stack.paths.lock))
    assert f"{orphan} triton_python_b" in stack.remains()
    stack.up()
    assert f"{orphan} triton_python_b" not in stack.remains()
    connection = await asyncpg.connect(stack.owner_url())
    assert await connection.fetchval("SELECT answer FROM kept") == 42
    await connection.close()


def test_down_leaves_nothing_of_a_stack_that_runs(stack: Stack) -> None:
    if not stack.is_ready():
        stack.up()
    stopped = stack.frond("down")
    assert (stopped.returncode, stopped.stdout) == (0, "Stopped.\n")
    assert not stack.remains()
    assert not stack.paths.state.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_it_runs_and_ends_as_the_restricted_root_of_a_container(stack: Stack) -> None:
    """Without CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH: it cannot look into PostgreSQL's processes."""
    contained = Stack(stack.paths, stack.env, ("setpriv", f"--bounding-set=-all,+{',+'.join(CONTAINER)}", "--"))
    supervisor = contained.up().supervisor_pid
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not lock.is_locked(stack.paths.lock), seconds=15)
    assert not stack.remains()


@pytest.fixture
def ordinary_user() -> Iterator[Stack]:
    """A stack of another user's. One capability is left to that user: our interpreter may lie below /root."""
    if os.geteuid() != 0:
        pytest.skip("not root: the other tests run as an ordinary user already")
    user = pwd.getpwnam(ORDINARY_USER)
    identity = ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    if subprocess.run([*identity, "test", "-r", triton.wheel()], check=False).returncode != 0:
        pytest.skip("an ordinary user of this machine cannot read these sources")
    passage = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--bounding-set=-all,+dac_read_search")
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, user.pw_uid, user.pw_gid)
        stack = make_stack(Path(folder), (*identity, *passage, "--"))
        try:
            yield stack
        finally:
            control.stop(stack.paths)


def test_it_runs_as_an_ordinary_user(ordinary_user: Stack) -> None:
    ordinary_user.up()
    owners = {path.stat().st_uid for path in ordinary_user.paths.root.iterdir()}
    processes = {Path(f"/proc/{ordinary_user.pid(part)}").stat().st_uid for part in ("postgres", "triton", "gateway")}
    assert owners == processes == {pwd.getpwnam(ORDINARY_USER).pw_uid}
    assert ordinary_user.frond("down").returncode == 0
    assert not ordinary_user.remains()
