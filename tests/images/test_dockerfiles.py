"""What can be told of the images from their Dockerfiles alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.__main__ import main as serve
from stack.paths import ROOT
from tests.images.dockerfiles import NAMES, copied_from_here, instructions, is_sent, last_stage, value_of

EVERY = pytest.mark.parametrize("name", NAMES)
UIDS = {"gateway": 10001, "triton": 1000}
PORTS = {"gateway": {8080, 8001, 9090}, "triton": {8000, 8001, 8002}}


@EVERY
def test_hadolint_has_nothing_to_say(name: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    said = subprocess.run([hadolint, ROOT / f"Dockerfile.{name}"], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, "")


@EVERY
def test_all_that_is_copied_is_there_and_is_sent_to_the_engine(name: str) -> None:
    sources = copied_from_here(name)
    assert sources
    for source in sources:
        path = ROOT / source
        files = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
        tracked = [each for each in files if "__pycache__" not in each.parts]
        assert tracked, source
        assert all(each.is_file() for each in tracked), source
        assert [each for each in tracked if not is_sent(each)] == []


@pytest.mark.parametrize(
    "kept_back", [".git/config", ".env", ".compose/keys/database-owner", "tests/conftest.py", ".venv/x"]
)
def test_what_no_image_holds_is_not_sent_to_the_engine(kept_back: str) -> None:
    assert not is_sent(ROOT / kept_back)


def test_byte_code_of_this_machine_is_not_sent() -> None:
    assert not is_sent(ROOT / "gateway" / "auth" / "__pycache__" / "keys.cpython-311.pyc")
    assert is_sent(ROOT / "gateway" / "auth" / "keys.py")


@EVERY
def test_the_base_is_a_release_and_can_be_named_by_its_digest(name: str) -> None:
    every = instructions(name)
    assert every[0].word == "ARG"
    release, _, digest = every[0].value.partition("@")
    assert re.fullmatch(r"BASE=[a-z.]+/[a-z/]+:\d+\.[\d.]*\d(-\w+)*", release)
    assert re.fullmatch("sha256:[0-9a-f]{64}", digest) or name == "triton"  # NVIDIA's is not known here
    assert {each.arguments[0] for each in every if each.word == "FROM"} == {"${BASE}"}


def made(*variables: str) -> subprocess.CompletedProcess[str]:
    """`make images` with an engine that only says what it is told."""
    command = ["make", "--no-print-directory", "images", "ENGINE=echo", *variables]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)


def test_an_image_on_a_base_without_a_digest_is_built_with_a_warning() -> None:
    told = made()
    assert told.stderr.count("nobody has reviewed it") == 1
    assert "TRITON_BASE=nvcr.io/nvidia/tritonserver" in told.stderr
    reviewed = f"nvcr.io/nvidia/tritonserver:26.05-py3@sha256:{'0' * 64}"
    told = made(f"TRITON_BASE={reviewed}")
    assert told.stderr == ""
    gateway, triton = told.stdout.splitlines()
    assert f"BASE={reviewed}" in triton
    assert f"--build-arg {instructions('gateway')[0].value} " in gateway


@EVERY
def test_python_packages_come_as_wheels_with_their_hashes_and_nothing_else_comes_from_elsewhere(name: str) -> None:
    runs = [each.value for each in instructions(name) if each.word == "RUN"]
    installs = [run for run in runs if "pip " in run and "install" in run]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "--only-binary :all:" in installs[0]
    assert not [run for run in runs if re.search(r"\b(curl|wget|apt-get|apt|git)\b", run)]
    assert not [each for each in instructions(name) if each.word == "ADD"]


@EVERY
def test_the_user_is_a_number_so_that_a_cluster_can_see_that_it_is_not_root(name: str) -> None:
    assert value_of(name, "USER").value == f"{UIDS[name]}:{UIDS[name]}"


@EVERY
def test_the_agreed_ports_are_exposed(name: str) -> None:
    assert {int(port) for port in value_of(name, "EXPOSE").arguments} == PORTS[name]


@EVERY
def test_the_image_says_what_it_is(name: str) -> None:
    text = "\n".join(each.value for each in last_stage(name) if each.word == "LABEL")
    for key in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{key}=" in text


def test_the_entry_points_exist() -> None:
    assert value_of("gateway", "CMD").listed == ["python", "-m", serve.__module__.removesuffix(".__main__")]
    assert value_of("triton", "ENTRYPOINT").listed == ["/opt/frond/serve-triton"]
    script = ROOT / "deploy" / "images" / "serve-triton"
    assert script.stat().st_mode & 0o111 == 0o111
