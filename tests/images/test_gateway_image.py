"""The gateway's image, built by its Dockerfile and run as in a cluster: read-only, as uid 10001, without any right."""

from __future__ import annotations

import asyncio
import re
import stat
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import httpx2
import pytest
import pytest_asyncio

from gateway.version import VERSION
from stack.ports import free_ports
from tests.gateway_processes import GatewayServer, Site, environment_of, site
from tests.gateways import png
from tests.images.containers import Container, Mounts, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.images.building import Builder, Image

PACKAGES = Path("opt/venv/lib/python3.11/site-packages")
UID = 10001


def test_two_builds_of_one_tree_are_the_same_image(builder: Builder, gateway_image: Image, clone: Path) -> None:
    assert builder.build("gateway", clone).layers == gateway_image.layers


def test_it_holds_the_locked_packages_and_no_other(gateway_image: Image) -> None:
    lock = (Path(__file__).parents[2] / "requirements" / "gateway.txt").read_text()
    locked = {
        name.lower().replace("_", "-"): version
        for name, version in re.findall(r"^([\w.-]+)(?:\[\w+\])?==(\S+)", lock, re.MULTILINE)
    }
    folders = (gateway_image.root / PACKAGES).glob("*.dist-info")
    installed = dict(
        folder.name.removesuffix(".dist-info").lower().replace("_", "-").rsplit("-", 1) for folder in folders
    )
    assert installed == locked


@pytest.mark.parametrize("program", ["cc", "gcc", "c++", "ld", "make", "curl", "wget", "git"])
def test_it_holds_no_compiler_and_no_downloader(gateway_image: Image, program: str) -> None:
    folders = [path.lstrip("/") for path in gateway_image.environment["PATH"].split(":")]
    assert not [folder for folder in folders if (gateway_image.root / folder / program).exists()]


def test_no_installer_is_in_its_environment(gateway_image: Image) -> None:
    programs = {path.name for path in (gateway_image.root / "opt" / "venv" / "bin").iterdir()}
    assert not {name for name in programs if name.startswith("pip")}
    assert not (gateway_image.root / PACKAGES / "pip").exists()


def test_its_user_can_change_nothing_in_it(gateway_image: Image) -> None:
    for folder in ("app", "opt"):
        for path in (gateway_image.root / folder).rglob("*"):
            found = path.lstat()
            assert found.st_uid != UID
            assert path.is_symlink() or not found.st_mode & stat.S_IWOTH, path
            assert path.is_symlink() or found.st_mode & stat.S_IROTH, path


def test_what_is_no_python_is_there_too(gateway_image: Image) -> None:
    """A wheel would have left these out."""
    root = Path(__file__).parents[2]
    wanted = [
        path
        for folder in ("gateway", "migrations")
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert {".sql", ".css", ".js", ".html", ".svg"} <= {path.suffix for path in wanted}
    assert [path for path in wanted if not (gateway_image.root / "app" / path.relative_to(root)).is_file()] == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def around(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """What the gateway needs."""
    async with site(tmp_path_factory.mktemp("site"), gateways=0) as around:
        yield around


def environment(around: Site, folder: Path, **changes: str) -> dict[str, str]:
    """As an operator writes it; the ports are free ones of this machine, whose network the container shares."""
    settings = environment_of(around.settings)
    ports = dict(zip(("FROND_PORT", "FROND_GRPC_PORT", "FROND_METRICS_PORT"), map(str, free_ports(3)), strict=True))
    for name in ("FROND_HOST", "FROND_METRICS_HOST"):
        del settings[name]
    database = folder / "database-url"
    database.write_text(settings.pop("FROND_DATABASE_URL"))
    at_home = {name: value.replace(str(around.folder), "/tmp/data") for name, value in settings.items()}
    return {**at_home, **ports, "FROND_DATABASE_URL_FILE": "/tmp/secrets/database-url", **changes}


def readable(folder: Path) -> Path:
    """By the container's user."""
    folder.chmod(0o755)
    return folder


def data_of(around: Site, folder: Path) -> Mounts:
    for path in (around.folder, around.folder / "storage"):
        path.chmod(0o777)
    for path in around.folder.glob("*"):
        if path.is_file():
            path.chmod(0o644)
    return Mounts(read_only={"/tmp/secrets": readable(folder)}, writable={"/tmp/data": around.folder})


def until_healthy(container: Container) -> None:
    give_up_at = time.monotonic() + 60
    while not container.is_healthy():
        assert container.process.poll() is None, container.output()
        assert time.monotonic() < give_up_at, container.output()
        time.sleep(0.1)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_photo_is_diagnosed_and_sigterm_lets_what_has_begun_finish(
    around: Site, gateway_image: Image, tmp_path: Path
) -> None:
    variables = environment(around, tmp_path, FROND_DRAIN_SECONDS="3")
    settings = around.settings.model_copy(update={"port": int(variables["FROND_PORT"])})
    client_side = GatewayServer.of(settings, around.signing_key, tmp_path / "unused.log")
    with running(gateway_image, tmp_path / "log", variables, data_of(around, tmp_path)) as container:
        await asyncio.to_thread(until_healthy, container)
        ready = await asyncio.to_thread(container.run, "python", "-m", "gateway.probe", "ready")
        assert ready.returncode == 0, ready.stderr + container.output()
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=20) as client:
            answer = await client_side.ask(client, uuid.uuid4(), png(side=2000), png(1))
            assert answer.json()["success"], answer.text
            assert (await client.get(f"{client_side.url}/")).status_code == 200  # the console's files
            metrics = await client.get(f"http://127.0.0.1:{variables['FROND_METRICS_PORT']}/metrics")
            assert f'frond_gateway_build_info{{version="{VERSION}"}}' in metrics.text
            asked = asyncio.create_task(client_side.ask(client, uuid.uuid4(), png(2)))
            stopped = asyncio.create_task(asyncio.to_thread(container.stop))
            assert (await asked).json()["success"]
            while not (during := await client.get(f"{client_side.url}/health/ready")).json()["draining"]:
                pass
            assert during.status_code == 503
        assert await stopped == 0, container.output()


@pytest.mark.asyncio(loop_scope="module")
async def test_its_migrations_make_a_new_database_ready(around: Site, gateway_image: Image, tmp_path: Path) -> None:
    owner = await asyncpg.connect(around.postgres.owner_url)
    await owner.execute("create database another")
    await owner.close()
    (readable(tmp_path) / "url").write_text(around.postgres.cluster.url(around.postgres.port, "another"))
    variables = {"FROND_MIGRATION_DATABASE_URL_FILE": "/tmp/secrets/url"}
    mounts, command = Mounts(read_only={"/tmp/secrets": tmp_path}), ["python", "-m", "gateway.migrate"]
    with running(gateway_image, tmp_path / "log", variables, mounts, command) as container:
        assert await asyncio.to_thread(container.process.wait, 60) == 0, container.output()
    assert "applied 0001 roles" in container.output()


def test_without_its_settings_it_says_which_are_missing(gateway_image: Image, tmp_path: Path) -> None:
    with running(gateway_image, tmp_path / "log", {}) as container:
        assert container.process.wait(30) == 1
    assert "FROND_DATABASE_URL: not set" in container.output()
