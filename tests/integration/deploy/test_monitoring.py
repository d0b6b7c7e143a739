"""A real Prometheus over a real stack to which everything has happened: each rule works, each panel shows something."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx2

from cli.dashboard.board import Board, read_boards
from cli.dashboard.prometheus import Prometheus
from cli.dashboard.rendering import NOTHING, Range, Renderer
from cli.dashboard.scraper import SCRAPE_SECONDS, scraping
from stack.ports import free_ports
from tests.deploy.metrics import Series, missing, samples
from tests.gateway_processes import site
from tests.integration.deploy.eventful import crash, fail, two_releases, use
from tests.monitoring.rule_files import ALERTS, RECORDED, program
from tests.monitoring.runbooks import expressions
from tests.unit.docs.test_reference import rows

if TYPE_CHECKING:
    from pathlib import Path

NEEDS_GPU, GPU_PANELS = "GPU: ", 3
SEEN_SECONDS = 3.5 * SCRAPE_SECONDS  # two scrapes of what happened last, and the rules over them
TYPE = re.compile(r"^# TYPE (frond_\w+(?<!_created)) (\w+)$", re.MULTILINE)
SETTINGS: dict[str, Any] = {"canary_version": "2", "canary_share": 0.5, "cleanup_seconds": 2}


async def test_every_rule_and_every_panel_finds_what_it_asks_for(tmp_path: Path) -> None:
    prometheus = program("prometheus")
    (metrics_port,) = free_ports(1)
    async with (
        site(tmp_path, gateways=1, models=two_releases, metrics_port=metrics_port, **SETTINGS) as parts,
        httpx2.AsyncClient(trust_env=False, timeout=30) as client,
    ):
        targets = {"frond-gateway": f"127.0.0.1:{metrics_port}", "frond-triton": parts.tritons[0].addresses.metrics}
        with (
            scraping(prometheus, targets, tmp_path / "prometheus", tmp_path / "prometheus.log") as url,
            closing(Prometheus(url)) as asked,
        ):
            await use(parts, client, rounds=2)
            await fail(parts, client)
            await crash(parts, client)
            await use(parts, client, rounds=12)
            await asyncio.sleep(SEEN_SECONDS)
            texts = [(await client.get(f"http://{address}/metrics")).text for address in targets.values()]
            assert not_exported(texts) == {}
            assert described() == {name: kind for text in texts for name, kind in TYPE.findall(text)}
            assert unhealthy(url) == []
            boards = read_boards().values()
            empty = [name for board in boards for name in silent(board, asked)]
            assert [name for name in empty if not name.startswith(NEEDS_GPU)] == []
            assert len(empty) == GPU_PANELS
            rows = [Renderer(asked, SCRAPE_SECONDS).row(board, 5) for board in boards]
            assert sum(row.count(NOTHING) for row in rows) == GPU_PANELS
            crashes = asked.at(ALERTS["FrondStubCrashes"]["expr"], time.time())
            assert {label for series in crashes for label in series.labels} == {"address", "stub"}


def not_exported(texts: list[str]) -> dict[str, Any]:
    """Of each rule and each expression of the runbooks, what neither the stack nor another rule says."""
    exported = [*samples(*texts), *(Series(name, {}) for name in RECORDED)]
    asked = [*(rule["expr"] for rule in (*ALERTS.values(), *RECORDED.values())), *expressions()]
    named = {expression: missing(expression, exported) for expression in asked}
    return {expression: found for expression, found in named.items() if found}


def described() -> dict[str, str]:
    """The type of each metric that the reference has."""
    return {row[0]: row[1] for row in rows("metrics.md") if row[0].startswith("frond_")}


def unhealthy(url: str) -> list[str]:
    """What Prometheus says of rules that it could not evaluate; all are evaluated."""
    groups = httpx2.get(f"{url}/api/v1/rules", trust_env=False).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == len(ALERTS) + len(RECORDED)
    return [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] != "ok"]


def silent(board: Board, asked: Prometheus) -> list[str]:
    """The panels of which some query returns no number."""
    shown = Range.of_minutes(5, SCRAPE_SECONDS)
    variables = shown.variables(SCRAPE_SECONDS)
    found = []
    for panel in board.panels:
        answers = [
            asked.over(target.filled(variables), shown.start, time.time(), SCRAPE_SECONDS) for target in panel.targets
        ]
        found += [panel.title for answer in answers if not any(series.points for series in answer)]
    return found
