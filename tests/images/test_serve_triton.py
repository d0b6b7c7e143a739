"""The start of Triton's image, `deploy/images/serve-triton`, with a stand-in for the server."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from stack import triton
from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SCRIPT = ROOT / "deploy" / "images" / "serve-triton"
COLLECTOR = "http://collector:4318/v1/traces"
GPU = "--model-config-name=gpu"
PATIENCE_SECONDS = 20.0
# What only the local one has: where things lie on one machine, and that there is no GPU to tell of.
LOCAL = {"backend-directory", "backend-config", "allow-gpu-metrics"}
LISTENERS = {f"{name}-{what}" for name in ("http", "grpc", "metrics") for what in ("address", "port")}
PROGRAMS = {
    "tritonserver": 'cd "$FOLDER"; printf "%s\\n" "$@" >new-$NAME; mv new-$NAME started-$NAME; exec tail -f /dev/null',
    "python3": '[ -e "$FOLDER/ready-$NAME" ]',  # stack.probe
    "nvidia-smi": 'echo "GPU 0: $CARD (UUID: GPU-$NAME)"',
    "sleep": "exec /bin/sleep 0.05",
}


@dataclass(frozen=True, slots=True)
class Servers:
    """Of one repository, over one cache of engines."""

    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *options: str, **variables: str) -> bool:
        """Whether it serves; otherwise it waits for another one."""
        environment = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "FROND_MODEL_REPOSITORY": str(self.folder / "models"),
            "FOLDER": str(self.folder),
            "NAME": name,
            "CARD": "L4",
            **variables,
        }
        log = self.folder / f"log-{name}"
        with log.open("wb") as file:
            self.processes[name] = subprocess.Popen(
                [SCRIPT, *options], env=environment, stderr=file, start_new_session=True
            )
        until(lambda: self.serves(name) or "waiting" in log.read_text())
        return self.serves(name)

    def serves(self, name: str) -> bool:
        return (self.folder / f"started-{name}").exists()

    def arguments(self, name: str) -> list[str]:
        return (self.folder / f"started-{name}").read_text().splitlines()

    def becomes_ready(self, name: str) -> None:
        (self.folder / f"ready-{name}").touch()

    def kill(self, name: str) -> None:
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes.pop(name).wait()

    def build(self, name: str, **variables: str) -> Path:
        """All engines, by a first server, which has gone since; one of them."""
        assert self.start(name, GPU, **variables)
        assert (self.cache / "building").exists()
        engine = self.cache / f"{name}.engine"
        engine.touch()
        self.becomes_ready(name)
        until(lambda: not (self.cache / "building").exists())
        self.kill(name)
        return engine

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def graph(self) -> Path:
        return self.folder / "models" / "classifier" / "1" / "model.onnx"


def until(is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    (tmp_path / "bin").mkdir()
    for name, program in PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    servers = Servers(tmp_path)
    servers.graph.parent.mkdir(parents=True)
    servers.graph.write_bytes(b"a graph")
    settings = (ROOT / "model_repository/classifier/configs/gpu.pbtxt").read_text()
    (tmp_path / "models/classifier/configs").mkdir()
    (tmp_path / "models/classifier/configs/gpu.pbtxt").write_text(
        settings.replace("/var/cache/frond/tensorrt", str(servers.cache))
    )
    yield servers
    for name in [*servers.processes]:
        servers.kill(name)


def names(options: Sequence[str]) -> set[str]:
    return {option.removeprefix("--").partition("=")[0] for option in options}


def traced(options: Sequence[str]) -> list[str]:
    return [option for option in options if option.startswith("--trace-config")]


def test_triton_starts_with_the_options_of_the_local_one(servers: Servers) -> None:
    servers.start("a", "--more=1", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=COLLECTOR)
    *here, more = servers.arguments("a")
    addresses = triton.Addresses("h:1", "h:2", "h:3", "key")
    there = triton.serve_command(servers.folder, servers.folder, addresses, "p", traces_url=COLLECTOR).argv[1:]
    assert more == "--more=1"
    assert names(here) <= names(there)
    assert names(there) - names(here) == LOCAL | LISTENERS
    assert traced(here) == traced(there)


def test_without_a_collector_it_traces_nothing(servers: Servers) -> None:
    servers.start("a")
    assert traced(servers.arguments("a")) == []


def test_one_server_builds_engines_at_a_time_and_the_others_find_them_built(servers: Servers) -> None:
    assert servers.start("first", GPU)
    assert not servers.start("second", GPU)
    servers.becomes_ready("first")
    until(lambda: servers.serves("second"))
    assert [servers.start(name, GPU) for name in ("third", "fourth")] == [True, True]
    assert not (servers.cache / "building").exists()


def test_a_cache_that_cannot_be_written_is_said_and_keeps_nobody_from_serving(servers: Servers) -> None:
    servers.cache.write_text("in the way")
    assert servers.start("first", GPU)
    assert "cannot be written" in (servers.folder / "log-first").read_text()


def test_a_processor_needs_no_engines(servers: Servers) -> None:
    assert [servers.start(name) for name in "ab"] == [True, True]
    assert not servers.cache.exists()


def test_another_graph_another_gpu_and_a_removed_engine_are_built_alone_again(servers: Servers) -> None:
    engine = servers.build("old")
    engine.unlink()
    servers.build("removed")
    servers.build("another", CARD="H100")
    servers.graph.write_bytes(b"trained again")
    assert servers.start("new", GPU)
    assert not servers.start("next", GPU)


def test_who_builds_in_place_of_a_killed_server_builds_alone(servers: Servers) -> None:
    assert servers.start("killed", GPU)
    servers.kill("killed")
    assert servers.start("next", GPU)
    assert not servers.start("third", GPU)
    servers.becomes_ready("next")
    until(lambda: servers.serves("third"))


def test_half_an_engine_of_a_killed_server_is_removed_and_no_whole_one(servers: Servers) -> None:
    whole = servers.build("old")
    servers.graph.write_bytes(b"trained again")
    assert servers.start("killed", GPU)
    half = servers.cache / "half.engine"
    half.touch()
    os.utime(half, (time.time() + 1,) * 2)
    servers.kill("killed")
    assert servers.start("next", GPU)
    assert whole.exists()
    assert not half.exists()
