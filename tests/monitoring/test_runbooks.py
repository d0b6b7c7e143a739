"""A page for each alert, and on each page nothing that a woken operator would type or look for in vain."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter
from typer.testing import CliRunner

from cli.app import command_app
from cli.dashboard.board import read_boards
from gateway.settings import MigrationSettings, RepositorySettings, Settings
from stack.paths import ROOT
from tests.deploy.manifests import DEPLOY, of_kind, render
from tests.monitoring.rule_files import ALERTS, run
from tests.monitoring.runbooks import CODE, PAGES, commands, expressions, named

HEADINGS = ["What it means", "Look here", "Do this", "Afterwards"]
OF_OTHERS = {"Explore", "Status › Targets"}  # Grafana's and Prometheus' own
SETTINGS = {
    f"FROND_{name.upper()}": field
    for model in (Settings, MigrationSettings, RepositorySettings)
    for name, field in model.model_fields.items()
}
SETTING = re.compile(r"(FROND_[A-Z0-9_]+)(?:=([^`\s,;]+))?")
KUBECTL = (str(Path(sys.executable).parent / "kubectl"), "--kubeconfig=/dev/null", "--server=http://127.0.0.1:1")
RESOURCES = {"deployment": "Deployment", "scaledobject": "ScaledObject"}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_page_that_says_what_to_do(name: str) -> None:
    rule, page = ALERTS[name], PAGES[name]
    assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbooks/{name}")
    assert page.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == HEADINGS
    assert f"Severity: {rule['labels']['severity']}." in page


def test_there_is_no_page_without_an_alert() -> None:
    assert set(PAGES) - {"README"} == set(ALERTS)


def test_the_list_has_each_alert() -> None:
    listed = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \| (\w+) \|", PAGES["README"], re.MULTILINE)
    assert listed == [(name, name, rule["labels"]["severity"]) for name, rule in ALERTS.items()]


def test_prometheus_takes_every_expression(tmp_path: Path) -> None:
    rules = [{"record": f"of_a_page:{number}", "expr": each} for number, each in enumerate(expressions())]
    assert len(rules) > 15
    (tmp_path / "rules.json").write_text(yaml.safe_dump({"groups": [{"name": "pages", "rules": rules}]}))
    checked = run("promtool", "check", "rules", tmp_path / "rules.json")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("words", commands("kubectl"), ids=lambda words: " ".join(words[3:5]))
def test_kubectl_takes_every_command(words: list[str]) -> None:
    """It fails for want of a server, and of nothing else."""
    tried = subprocess.run([*KUBECTL, *words[1:]], capture_output=True, text=True, timeout=60, check=False)
    assert re.search("connection .*refused", tried.stderr), tried.stderr


def test_what_kubectl_is_told_to_look_at_is_deployed() -> None:
    resources = render(DEPLOY / "overlays" / "production")
    known = {each["metadata"]["name"] for each in of_kind(resources, "Deployment")}
    secrets = set(re.findall(r"secret(?:Name|KeyRef):[^}]*?(frond-[\w-]+)", yaml.safe_dump(resources)))
    asked = [" ".join(words) for words in commands("kubectl")]
    assert {name for each in asked for name in re.findall(r"\.io/name=(\w+)", each)} <= known
    assert {name for each in asked for name in re.findall(r"secret (frond-\w+)", each)} <= secrets
    for word, kind in RESOURCES.items():
        there = {each["metadata"]["name"] for each in of_kind(resources, kind)}
        named_here = {name for each in asked for name in re.findall(rf"\b{word}[ /](\w+)", each)}
        assert named_here, word
        assert named_here <= there, word
    assert all("-n" in words for words in commands("kubectl") if words[1] != "cordon")


def test_compose_has_every_service_that_a_command_names() -> None:
    services = set(yaml.safe_load((ROOT / "compose.yaml").read_text())["services"])
    asked = [words[2:] for words in commands("docker")]
    assert asked
    for verb, *rest in asked:
        assert verb in {"exec", "logs", "ps", "restart", "up"}
        assert set([word for word in rest if not word.startswith("-")][:1]) <= services, rest


@pytest.mark.parametrize("words", commands("frond"), ids=" ".join)
def test_frond_knows_every_command_and_option(words: list[str]) -> None:
    names = [word for word in words[1:3] if re.fullmatch("[a-z]{2,}", word)]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(command_app(names), [*names, "--help"])
    assert shown.exit_code == 0, shown.output
    assert [word for word in words if word.startswith("--") and word not in shown.output] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_setting_that_a_page_names_is_one_and_takes_the_value(name: str) -> None:
    for setting, value in SETTING.findall(PAGES[name]):
        field = SETTINGS[setting]
        if value:
            TypeAdapter(field.rebuild_annotation()).validate_python(value)


def test_every_panel_that_a_page_names_is_on_a_dashboard() -> None:
    boards = read_boards().values()
    titles = {panel.title for board in boards for panel in board.panels}
    titles |= {board.title.removeprefix("Frond / ") for board in boards} | OF_OTHERS
    assert {each for each in named() if each[1] not in titles} == set()


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_a_page_names_is_there(name: str) -> None:
    within = [
        code for code in CODE.findall(PAGES[name]) if re.fullmatch(r"(?:deploy|requirements|tests)/[\w./-]+", code)
    ]
    linked = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", PAGES[name])]
    missing = [path for path in within if not (ROOT / path).exists()]
    missing += [path for path in linked if path and not (ROOT / "docs" / "runbooks" / path).exists()]
    assert missing == []
