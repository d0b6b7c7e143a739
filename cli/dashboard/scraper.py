"""A Prometheus of our own over the local runtime, with all rules, for as long as somebody looks."""

from __future__ import annotations

import json
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2

from cli.failure import Failure
from stack.command import Command, log_tail, start, stop
from stack.paths import ROOT
from stack.ports import LOOPBACK, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stack.paths import StatePaths
    from stack.state import State

SCRAPE_SECONDS = 2
READY_SECONDS = 20.0
STOP_SECONDS = 10.0
RULES = ROOT / "deploy" / "monitoring" / "prometheus" / "rules"


def configuration(targets: dict[str, str]) -> str:
    """Prometheus' own YAML, which JSON is; `targets`: host:port by job."""
    jobs = [{"job_name": name, "static_configs": [{"targets": [address]}]} for name, address in targets.items()]
    interval = f"{SCRAPE_SECONDS}s"
    times = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
    return json.dumps({"global": times, "rule_files": [str(RULES / "*.yaml")], "scrape_configs": jobs})


def targets_of(state: State) -> dict[str, str]:
    return {"frond-gateway": state.gateway_metrics, "frond-triton": state.triton_metrics}


@contextmanager
def scraping(program: str, targets: dict[str, str], folder: Path, log: Path) -> Iterator[str]:
    """Yields its URL once it answers; what it has seen stays in the folder. Raises `Failure`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "prometheus.yaml"
    file.write_text(configuration(targets))
    (port,) = free_ports(1)
    url = f"http://{LOOPBACK}:{port}"
    options = {
        "config.file": file,
        "storage.tsdb.path": folder / "data",
        "storage.tsdb.retention.time": "7d",
        "web.listen-address": f"{LOOPBACK}:{port}",
        "log.level": "warn",
    }
    process = start(Command((program, *(f"--{name}={value}" for name, value in options.items()))), log)
    try:
        give_up_at = time.monotonic() + READY_SECONDS
        while not is_ready(url):
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise Failure(f"Prometheus does not start:\n{log_tail(log)}")
            time.sleep(0.1)
        yield url
    finally:
        stop(process, signal.SIGTERM, STOP_SECONDS)


def folder_in(paths: StatePaths) -> Path:
    return paths.root / "prometheus"


def is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/-/ready", trust_env=False, timeout=1).status_code == httpx2.codes.OK
    except httpx2.HTTPError:
        return False
