"""Which files there are, and what stands in each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from deploy.monitoring.generate import client, idempotency, model, operator

MONITORING = Path(__file__).parents[1]
DASHBOARDS = MONITORING / "grafana" / "dashboards"
RULES = MONITORING / "prometheus" / "rules"
OPERATOR_RULES = MONITORING / "prometheus-rule.yaml"
NOTE = "# Made of prometheus/rules by `make monitoring`, for the Prometheus operator.\n"


class Dumper(yaml.SafeDumper):
    """Long expressions as they were written."""


def represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, represent_text)


def files() -> dict[Path, str]:
    """Every file that is made, with its content."""
    boards = (operator.BOARD, idempotency.BOARD, model.BOARD, client.BOARD)
    made = {DASHBOARDS / f"{board['uid']}.json": json.dumps(board, indent=1) + "\n" for board in boards}
    return {**made, OPERATOR_RULES: NOTE + yaml.dump(prometheus_rule(), Dumper=Dumper, sort_keys=False, width=200)}


def prometheus_rule() -> dict[str, Any]:
    """All rule files in one resource."""
    contents = [yaml.safe_load(path.read_text()) for path in sorted(RULES.glob("*.yaml"), reverse=True)]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "frond", "labels": {"app.kubernetes.io/name": "frond"}},
        "spec": {"groups": [group for content in contents for group in content["groups"]]},
    }
