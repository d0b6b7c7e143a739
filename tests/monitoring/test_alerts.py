"""Rules that Prometheus takes; alerts that fire when they shall, stay quiet when they shall, and say what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.deploy.metrics import selectors
from tests.monitoring.rule_files import ALERTS, RECORDED, RULES, run

CASES = sorted(Path(__file__).parent.glob("*alerts.yaml"))
TITLE = re.compile(r"(\w+) (fires|is quiet): .+")
SEVERITIES = {"page", "ticket"}


def cases() -> list[str]:
    return [case["name"] for path in CASES for case in yaml.safe_load(path.read_text())["tests"]]


def test_prometheus_takes_the_rules() -> None:
    checked = run("promtool", "check", "rules", *sorted(RULES.glob("*.yaml")))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_alerts_fire_and_stay_quiet(path: Path) -> None:
    tested = run("promtool", "test", "rules", path)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_a_case_that_expects_what_does_not_come_fails(tmp_path: Path) -> None:
    content = yaml.safe_load(CASES[0].read_text())
    content["rule_files"] = [str(path) for path in sorted(RULES.glob("*.yaml"))]
    (quiet, *_) = [case for case in content["tests"] if "is quiet" in case["name"]]
    quiet["promql_expr_test"][0]["exp_samples"][0]["value"] = 1
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump({**content, "tests": [quiet]}))
    assert run("promtool", "test", "rules", tmp_path / "wrong.yaml").returncode == 1


def test_every_alert_is_tried_firing_and_quiet() -> None:
    tried = {(found[1], found[2]) for found in map(TITLE.fullmatch, cases()) if found}
    assert tried == {(alert, how) for alert in ALERTS for how in ("fires", "is quiet")}


def test_a_case_asks_for_the_alert_in_its_title_with_its_severity() -> None:
    for path in CASES:
        for case in yaml.safe_load(path.read_text())["tests"]:
            alert, how = case["name"].split(":")[0].split(" ", 1)
            (asked,) = case["promql_expr_test"]
            severity = ALERTS[alert]["labels"]["severity"]
            labels = f'alertname="{alert}",alertstate="firing",severity="{severity}"'
            assert asked["expr"] == f"count(ALERTS{{{labels}}}) or vector(0)"
            assert asked["exp_samples"] == [{"labels": "{}", "value": int(how == "fires")}]


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_what_is_wrong_and_where_to_read_on(name: str) -> None:
    rule = ALERTS[name]
    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in SEVERITIES
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}


def test_what_is_asked_for_as_recorded_is_recorded() -> None:
    expressions = [rule["expr"] for rule in (*ALERTS.values(), *RECORDED.values())]
    asked = {selector.name for expression in expressions for selector in selectors(expression) if ":" in selector.name}
    assert asked == set(RECORDED)
