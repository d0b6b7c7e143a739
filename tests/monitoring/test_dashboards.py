"""Dashboards that Grafana and its provisioning take as they are, alike in what they share, and made by our code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from deploy.monitoring.generate.files import DASHBOARDS, OPERATOR_RULES, files
from deploy.monitoring.generate.panel import DATASOURCE, WIDTH
from tests.deploy.manifests import DEPLOY, OVERLAYS, complaint, named, of_kind, render
from tests.deploy.metrics import selectors
from tests.monitoring.rule_files import MONITORING, RULES

if TYPE_CHECKING:
    from pathlib import Path

PATHS = sorted(DASHBOARDS.glob("*.json"))
MAX_ANNOTATION_BYTES = 256 * 1024  # `kubectl apply` keeps what it applied in one
KINDS = {"row", "timeseries", "stat", "bargauge"}  # what `frond dashboard` draws


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(request.param.read_text())
    return content


def test_the_files_are_those_that_the_code_makes() -> None:
    stale = [path.name for path, content in files().items() if not path.exists() or path.read_text() != content]
    assert stale == [], "make monitoring"
    assert set(PATHS) == {path for path in files() if path.suffix == ".json"}


def test_the_operators_rules_are_the_plain_ones() -> None:
    resource = yaml.safe_load(OPERATOR_RULES.read_text())
    plain = [group for path in RULES.glob("*.yaml") for group in yaml.safe_load(path.read_text())["groups"]]
    assert sorted(resource["spec"]["groups"], key=name_of) == sorted(plain, key=name_of)
    assert complaint(resource) is None


def name_of(group: dict[str, Any]) -> str:
    return str(group["name"])


def test_a_board_is_known_by_the_name_of_its_file(board: dict[str, Any]) -> None:
    assert f"{board['uid']}.json" in [path.name for path in PATHS]
    assert board["tags"] == ["frond"]
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "namespace"]


def test_every_panel_asks_the_chosen_datasource_for_the_chosen_namespace(board: dict[str, Any]) -> None:
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            assert panel["datasource"] == target["datasource"] == DATASOURCE
            for selector in selectors(target["expr"].replace("$__rate_interval", "1m").replace("$__range", "1h")):
                namespace = "$namespace|" if selector.name == "ALERTS" else "$namespace"  # one alert is nobody's
                assert ("namespace", "=~", namespace) in selector.matchers, target["expr"]


def test_panels_have_names_of_their_own_and_lie_beside_each_other(board: dict[str, Any]) -> None:
    panels = board["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    assert {panel["type"] for panel in panels} <= KINDS
    rows = [panel["title"] for panel in panels if panel["type"] == "row"]
    assert len(set(rows)) == len(rows)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= WIDTH
        assert not cells & taken, panel["title"]
        taken |= cells


def test_provisioning_looks_where_compose_puts_them() -> None:
    compose = yaml.safe_load((DEPLOY.parent / "compose.yaml").read_text())
    mounts = dict(each.split(":")[:2] for each in compose["services"]["grafana"]["volumes"] if each.startswith("./"))
    provider = yaml.safe_load((MONITORING / "grafana/provisioning/dashboards/frond.yaml").read_text())["providers"][0]
    assert mounts[f"./{DASHBOARDS.relative_to(DEPLOY.parent)}"] == provider["options"]["path"]
    mounts = dict(each.split(":")[:2] for each in compose["services"]["prometheus"]["volumes"] if each.startswith("./"))
    wanted = yaml.safe_load((MONITORING / "prometheus/prometheus.yaml").read_text())["rule_files"]
    assert wanted == [f"{mounts[f'./{RULES.parent.relative_to(DEPLOY.parent)}']}/rules/*.yaml"]


@pytest.mark.parametrize("overlay", [each for each in OVERLAYS if each.name != "dev"], ids=lambda path: path.name)
def test_a_cluster_gets_rules_and_every_dashboard(overlay: Path) -> None:
    resources = render(overlay)
    (rule,) = of_kind(resources, "PrometheusRule")
    assert rule["spec"] == yaml.safe_load(OPERATOR_RULES.read_text())["spec"]
    dashboards = named(resources, "ConfigMap", "frond-dashboards")
    assert dashboards["data"] == {path.name: path.read_text() for path in PATHS}
    assert dashboards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert len(json.dumps(dashboards)) < MAX_ANNOTATION_BYTES
