"""Who hears of which alert, and what silences what: asked of Alertmanager's own tool, and of Alertmanager."""

from __future__ import annotations

import re
import signal
import time
from typing import TYPE_CHECKING

import httpx2
import pytest
import yaml

from stack.command import Command
from stack.ports import free_ports
from tests.conftest import serving
from tests.monitoring.rule_files import ALERTS, ROUTES, program, run

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOW = "FrondDeadlinesMissedSlowly"
OF_AN_OUTAGE = {"FrondErrorsHigh", "FrondLatencyHigh", "FrondDeadlinesMissedFast", SLOW}
CAUSES = {
    "FrondPartOut database": OF_AN_OUTAGE | {"FrondCleanupStopped"},
    "FrondPartOut storage": {"FrondUploadsFail"},
    "FrondPartOut keys": set(),
    "FrondTritonUnavailable": OF_AN_OUTAGE | {"FrondBreakerOpen"},
    "FrondDeadlinesMissedFast": {SLOW},
    "FrondErrorsHigh": set(),
}
HEARD_SECONDS = 30.0


def test_alertmanager_takes_the_configuration() -> None:
    checked = run("amtool", "check-config", ROUTES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_goes_where_its_severity_says(name: str) -> None:
    severity = ALERTS[name]["labels"]["severity"]
    labels = [f"alertname={name}", f"severity={severity}", "namespace=frond"]
    routed = run(
        "amtool", "config", "routes", "test", "--config.file", ROUTES, f"--verify.receivers={severity}", *labels
    )
    assert routed.returncode == 0, routed.stdout + routed.stderr


def test_what_is_not_ours_wakes_nobody() -> None:
    routed = run("amtool", "config", "routes", "test", "--config.file", ROUTES, "alertname=Other", "severity=page")
    assert routed.stdout.split() == ["ticket"]


def test_what_silences_and_what_is_silenced_are_alerts_of_ours() -> None:
    inhibitions = yaml.safe_load(ROUTES.read_text())["inhibit_rules"]
    matchers = [each for rule in inhibitions for each in (*rule["source_matchers"], *rule["target_matchers"])]
    patterns = [found[1] for found in (re.fullmatch(r'alertname=~?"(.+)"', each) for each in matchers) if found]
    assert len(patterns) == 2 * len(inhibitions)
    for pattern in (part for each in patterns for part in each.split("|")):
        assert any(re.fullmatch(pattern, name) for name in ALERTS), pattern


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """With the routes as they are, to receivers that nobody is."""
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "alertmanager.yaml").write_text(re.sub(r"https://[^\"]+", "http://127.0.0.1:1/", ROUTES.read_text()))
    (port,) = free_ports(1)
    options = {
        "config.file": folder / "alertmanager.yaml",
        "storage.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
        "cluster.listen-address": "",
    }
    argv = (program("prometheus-alertmanager"), *(f"--{name}={value}" for name, value in options.items()))
    with (
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        serving(Command(argv), folder / "log", signal.SIGTERM, lambda: is_ready(client)),
    ):
        yield client


def is_ready(client: httpx2.Client) -> bool:
    try:
        return client.get("/-/ready").is_success
    except httpx2.HTTPError:
        return False


@pytest.mark.parametrize(("cause", "silenced"), CAUSES.items(), ids=CAUSES)
def test_a_cause_silences_what_follows_from_it_and_nothing_else(
    alertmanager: httpx2.Client, cause: str, silenced: set[str]
) -> None:
    name, _, part = cause.partition(" ")
    firing = set(ALERTS) - ({each.split()[0] for each in CAUSES} - silenced)
    here, elsewhere = cause.replace(" ", "-"), f"beside-{cause}"
    alerts = [{"alertname": each, "namespace": here} for each in sorted(firing)]
    alerts += [{"alertname": each, "namespace": elsewhere} for each in sorted(silenced - {SLOW})]
    alerts.append({"alertname": name, "namespace": here, **({"part": part} if part else {})})
    assert alertmanager.post("/api/v2/alerts", json=[{"labels": labels} for labels in alerts]).is_success
    give_up_at = time.monotonic() + HEARD_SECONDS
    while (found := suppressed(alertmanager, here)) != silenced and time.monotonic() < give_up_at:
        time.sleep(0.1)
    assert found == silenced
    assert suppressed(alertmanager, elsewhere) == set()


def suppressed(alertmanager: httpx2.Client, namespace: str) -> set[str]:
    found = alertmanager.get("/api/v2/alerts", params={"filter": f'namespace="{namespace}"'}).json()
    return {each["labels"]["alertname"] for each in found if each["status"]["inhibitedBy"]}
