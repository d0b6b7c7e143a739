"""The Triton image, built by its Dockerfile on a Debian in NVIDIA's place; the server itself comes from its wheel.

What the wheel has not is mounted: the compiled ONNX Runtime backend, for which ours stands in, with its package.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
import typing_extensions

from preprocess.release import read_release
from stack import processes, triton
from stack.paths import ROOT
from stack.ports import free_ports
from stack.synthetic import InferenceRequest, plain_photo
from tests.images.containers import Container, Mounts, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.images.building import Builder, Image

READY_SECONDS = 90
# Of our backend, which NVIDIA's image has no need of.
STAND_IN_PACKAGES = ("onnxruntime", "onnx", "ml_dtypes", "google")
# In NVIDIA's image the stub is linked against Ubuntu's Python 3.12.
STUBS = ("3.11",)


def stub_fits() -> bool:
    return f"{sys.version_info.major}.{sys.version_info.minor}" in STUBS


@pytest.fixture(scope="module")
def server(triton_image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Container, str]]:
    """A running container and the address of its HTTP port."""
    if not stub_fits():
        pytest.skip("the bootstrapped Debian has Python 3.11, and so must the tests")
    folder = tmp_path_factory.mktemp("triton")
    with serving(triton_image, folder) as found:
        yield found


@contextmanager
def serving(image: Image, folder: Path) -> Iterator[tuple[Container, str]]:
    triton.prepare_backends(folder / "backends")
    (folder / "engines").mkdir()
    (folder / "engines").chmod(0o777)
    for package in STAND_IN_PACKAGES:
        (folder / "backends" / "onnxruntime" / package).mkdir()
    shutil.copy2(typing_extensions.__file__, folder / "backends" / "onnxruntime")
    http, grpc, metrics = (str(port) for port in free_ports(3))
    options = ["--backend-directory=/tmp/backends", f"--http-port={http}", f"--grpc-port={grpc}"]
    options += [f"--metrics-port={metrics}", "--allow-gpu-metrics=false"]
    wheel = triton.wheel()
    mounts = Mounts(
        read_only={
            "/tmp/server": wheel,
            "/tmp/libraries": wheel.parents[1] / "nvidia_pytriton.libs",
            "/tmp/backends": folder / "backends",
            **{f"/tmp/backends/onnxruntime/{package}": folder_of(package) for package in STAND_IN_PACKAGES},
        },
        writable={"/var/cache/frond": folder / "engines"},
    )
    variables = {
        "PATH": f"/tmp/server/bin:{image.environment['PATH']}",
        "LD_LIBRARY_PATH": "/tmp/libraries",
        "FROND_TRITON_HTTP": f"127.0.0.1:{http}",
    }
    with running(image, folder / "log", variables, mounts, [*image.command, *options]) as container:
        until_ready(container)
        yield container, f"127.0.0.1:{http}"


def folder_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations)))


def until_ready(container: Container) -> None:
    """By the image's own health check."""
    give_up_at = time.monotonic() + READY_SECONDS
    while not container.is_healthy():
        assert container.process.poll() is None, container.output()
        assert "failed to load" not in container.output(), container.output()
        assert time.monotonic() < give_up_at, container.output()
        time.sleep(0.2)


def diagnose(address: str) -> httpx2.Response:
    request = InferenceRequest.of(plain_photo())
    headers = {"Inference-Header-Content-Length": str(request.header_bytes)}
    url = f"http://{address}/v2/models/diagnose/infer"
    return httpx2.post(url, content=request.body, headers=headers, trust_env=False, timeout=20)


def test_two_builds_of_one_tree_are_the_same_image(builder: Builder, triton_image: Image, clone: Path) -> None:
    assert builder.build("triton", clone).layers == triton_image.layers


def test_a_photo_is_diagnosed_by_its_own_packages_and_models(server: tuple[Container, str]) -> None:
    container, address = server
    answer = diagnose(address)
    assert answer.status_code == 200, answer.text + container.output()
    release = read_release(ROOT / "model_repository" / "classifier" / "1")
    diagnosis = json.loads(answer.json()["outputs"][0]["data"][0])
    assert diagnosis["model"]["version"] == release.version


def test_nobody_can_load_a_model_or_map_its_memory(server: tuple[Container, str]) -> None:
    """Loading one runs code that the request brings along."""
    _, address = server
    for path in (
        "v2/repository/models/diagnose/load",
        "v2/repository/index",
        "v2/systemsharedmemory/region/x/register",
    ):
        assert httpx2.post(f"http://{address}/{path}", json={}, trust_env=False).status_code == 403


def test_its_packages_are_where_triton_looks_for_them_without_any_variable(triton_image: Image) -> None:
    program = "import numpy, PIL, pillow_heif, preprocess.tensor, stack.probe; print(numpy.__version__)"
    done = subprocess.run(
        [shutil.which("chroot") or "chroot", triton_image.root, "/usr/bin/python3", "-IB", "-c", program],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1.26.4"


def test_the_repository_is_in_it_and_only_its_user_may_build_engines(triton_image: Image) -> None:
    shipped = {
        path.relative_to(ROOT / "model_repository")
        for path in (ROOT / "model_repository").rglob("*")
        if "__pycache__" not in path.parts
    }
    packed = {path.relative_to(triton_image.root / "models") for path in (triton_image.root / "models").rglob("*")}
    assert packed == shipped
    assert (triton_image.root / "var" / "cache" / "frond").stat().st_uid == 1000


def test_its_user_can_read_all_of_it_and_change_nothing(triton_image: Image) -> None:
    """Who decodes strangers' photos must not write the code that is run next."""
    files = [path for folder in ("opt/frond", "models") for path in (triton_image.root / folder).rglob("*")]
    assert len(files) > 20
    assert [path for path in files if path.stat().st_uid or path.stat().st_mode & 0o022] == []
    assert [path for path in files if not path.stat().st_mode & 0o004] == []


def test_a_dead_python_process_is_found_by_the_health_check_though_triton_calls_itself_ready(
    triton_image: Image, tmp_path: Path
) -> None:
    if not stub_fits():
        pytest.skip("the bootstrapped Debian has Python 3.11, and so must the tests")
    with serving(triton_image, tmp_path) as (container, address):
        stubs = [each for each in processes.family(container.first_process) if each.name.startswith("triton_python")]
        os.kill(stub_of_diagnose(stubs), signal.SIGKILL)
        assert httpx2.get(f"http://{address}/v2/health/ready", trust_env=False).status_code == 200
        give_up_at = time.monotonic() + 30
        while container.is_healthy():
            assert time.monotonic() < give_up_at
        alive = container.run("python3", "-m", "stack.probe", "live")
        assert alive.returncode == 1
        assert "not diagnosed" in alive.stderr


def stub_of_diagnose(stubs: list[processes.Process]) -> int:
    commands = {each.pid: Path(f"/proc/{each.pid}/cmdline").read_bytes().decode() for each in stubs}
    return next(pid for pid, command in commands.items() if "/models/diagnose/" in command)


def test_sigterm_ends_it(triton_image: Image, tmp_path: Path) -> None:
    if not stub_fits():
        pytest.skip("the bootstrapped Debian has Python 3.11, and so must the tests")
    with serving(triton_image, tmp_path) as (container, _):
        assert container.stop() == 0, container.output()
