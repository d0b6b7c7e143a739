"""What breaks in practice although every field is valid: paths, ports, selectors, times, names, images, rights."""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from gateway.__main__ import FINISH_SECONDS
from gateway.app import create_app
from gateway.database import STATEMENT_SECONDS
from gateway.diagnoses.work import WORK_SECONDS
from gateway.inference.addresses import RESOLVE_SECONDS
from gateway.inference.balancer import RESOLVE_EVERY_SECONDS
from gateway.inference.endpoint import END_SECONDS
from gateway.memory import MAX_REQUEST_BYTES
from gateway.settings import MigrationSettings, RepositorySettings, Settings
from gateway.unauthenticated import FREE
from stack.paths import ROOT
from tests.deploy.manifests import (
    DEPLOY,
    OVERLAYS,
    TRITON_PORTS,
    Resource,
    config_of,
    containers,
    deployed,
    name_of,
    named,
    of_kind,
    only,
    pod_templates,
    read,
    render,
)
from tests.gateways import SigningKey, settings_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
GUIDE = ROOT / "docs" / "guides" / "kubernetes.md"
EXIT_SECONDS = re.compile(r"--exit-timeout-secs=(\d+)")
NAME_SERVER_SECONDS = 30  # how old CoreDNS' answers may be by its default
AIR_SECONDS = 5
SETTINGS = {
    f"FROND_{name.upper()}": model
    for model in (Settings, MigrationSettings, RepositorySettings)
    for name in model.model_fields
}


def port_names(template: Resource) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for each in containers(template) for port in each.get("ports", ())}


def selected(resources: list[Resource], labels: dict[str, str]) -> list[Resource]:
    """The pod templates that a selector finds."""
    return [each for _, each in pod_templates(resources) if labels.items() <= each["metadata"]["labels"].items()]


def selectors(resources: list[Resource]) -> Iterator[tuple[str, dict[str, str]]]:
    for resource in resources:
        spec = resource.get("spec", {})
        match resource["kind"]:
            case "Service":
                yield name_of(resource), spec["selector"]
            case "PodDisruptionBudget" | "PodMonitor" | "Deployment":
                yield name_of(resource), spec["selector"]["matchLabels"]
            case "NetworkPolicy" if spec["podSelector"]:
                yield name_of(resource), spec["podSelector"]["matchLabels"]
                for peer in (peer for rule in spec.get("ingress", ()) for peer in rule.get("from", ())):
                    if "podSelector" in peer:
                        yield name_of(resource), peer["podSelector"]["matchLabels"]


def test_every_selector_finds_the_pods_of_exactly_one_workload(resources: list[Resource]) -> None:
    found = {name: len(selected(resources, labels)) for name, labels in selectors(resources)}
    assert found
    assert {name: number for name, number in found.items() if number != 1} == {}


def test_pods_are_spread_with_their_own_kind(resources: list[Resource]) -> None:
    for name in ("gateway", "triton"):
        template = deployed(resources, name)
        for constraint in template["spec"]["topologySpreadConstraints"]:
            assert constraint["labelSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()


def test_no_pod_waits_for_a_node_that_cannot_take_it(resources: list[Resource]) -> None:
    """A hard spread counts nodes without a GPU, and tainted ones unless told otherwise, as places for the next pod."""
    for name in ("gateway", "triton"):
        for constraint in deployed(resources, name)["spec"]["topologySpreadConstraints"]:
            assert constraint["whenUnsatisfiable"] == "ScheduleAnyway", name


def test_the_ingress_lets_the_largest_request_pass_unbuffered() -> None:
    (ingress,) = of_kind(render(DEPLOY / "overlays" / "production"), "Ingress")
    prefix = "nginx.ingress.kubernetes.io/proxy"
    annotations = ingress["metadata"]["annotations"]
    (mebibytes_allowed,) = re.findall(r"^(\d+)m$", annotations[f"{prefix}-body-size"])
    assert int(mebibytes_allowed) * 2**20 >= MAX_REQUEST_BYTES
    assert annotations[f"{prefix}-request-buffering"] == "off"
    assert ingress["spec"]["ingressClassName"] == "nginx"


def test_every_named_port_is_one_of_the_pods_that_are_meant(resources: list[Resource]) -> None:
    for resource in of_kind(resources, "Service", "PodMonitor", "NetworkPolicy"):
        spec = resource["spec"]
        labels = spec["selector"] if resource["kind"] == "Service" else spec.get("selector", spec.get("podSelector"))
        labels = labels.get("matchLabels", labels)
        wanted = [port["targetPort"] for port in spec.get("ports", ())]
        wanted += [endpoint["port"] for endpoint in spec.get("podMetricsEndpoints", ())]
        wanted += [port["port"] for rule in spec.get("ingress", ()) for port in rule["ports"]]
        for template in selected(resources, labels) if wanted else ():
            assert set(wanted) <= set(port_names(template)), name_of(resource)


def test_the_processes_listen_where_their_ports_say(resources: list[Resource]) -> None:
    gateway = deployed(resources, "gateway")
    config = config_of(resources, only(gateway))
    listening = {
        name: int(config[f"FROND_{prefix}PORT"])
        for name, prefix in (("http", ""), ("grpc", "GRPC_"), ("metrics", "METRICS_"))
    }
    assert port_names(gateway) == listening
    assert port_names(deployed(resources, "triton")) == TRITON_PORTS
    assert not [arg for arg in only(deployed(resources, "triton")).get("args", ()) if "-port" in arg]


def test_the_gateway_balances_over_a_headless_service(resources: list[Resource]) -> None:
    host, port = config_of(resources, only(deployed(resources, "gateway")))["FROND_TRITON_GRPC"].split(":")
    service = named(resources, "Service", host)
    assert service["spec"]["clusterIP"] == "None"
    assert not service["spec"].get("publishNotReadyAddresses")
    assert int(port) == TRITON_PORTS["grpc"]
    (triton,) = selected(resources, service["spec"]["selector"])
    assert only(triton)["name"] == "triton"


def test_every_probe_asks_for_what_there_is(resources: list[Resource], tmp_path: Path) -> None:
    routes = {getattr(route, "path", "") for route in create_app(settings_in(tmp_path, SigningKey())).routes}
    routes |= set(create_app(settings_in(tmp_path, SigningKey())).openapi()["paths"])
    models = {path.parent.name for path in ROOT.glob("model_repository/*/config.pbtxt")}
    seen = 0
    for _, template in pod_templates(resources):
        for container in containers(template):
            for probe in (
                container[name] for name in ("startupProbe", "readinessProbe", "livenessProbe") if name in container
            ):
                seen += 1
                if "httpGet" in probe:
                    path = probe["httpGet"]["path"]
                    model = re.fullmatch(r"/v2/models/(\w+)/ready", path)
                    assert model[1] in models if model else path in routes, path
                    assert probe["httpGet"]["port"] in port_names(template)
                    assert model or FREE.fullmatch(path), f"{path}: a flood of others' requests would fail it"
                else:
                    check_command(probe["exec"]["command"])
    assert seen >= 6


def check_command(command: list[str]) -> None:
    if command[0] in {"python", "python3"}:
        assert command[1] == "-m"
        assert importlib.util.find_spec(command[2]) is not None, command
        module = importlib.import_module(command[2])
        if command[3:]:
            with pytest.raises(SystemExit, match="usage"):
                module.main(["nonsense"])
            with pytest.raises(SystemExit) as ended:
                module.main(command[3:])
            assert "usage" not in str(ended.value)


def test_every_command_of_a_container_is_a_module_with_a_main(resources: list[Resource]) -> None:
    commands = [each["command"] for _, pod in pod_templates(resources) for each in containers(pod) if "command" in each]
    assert ["python", "-m", "gateway"] in commands
    for command in commands:
        if command[0] == "python":
            spec = importlib.util.find_spec(command[2])
            assert spec is not None
            assert spec.submodule_search_locations is None or importlib.util.find_spec(f"{command[2]}.__main__")


def test_a_pod_has_longer_to_go_than_its_drain_takes(resources: list[Resource]) -> None:
    gateway, triton = deployed(resources, "gateway"), deployed(resources, "triton")
    drain = float(config_of(resources, only(gateway))["FROND_DRAIN_SECONDS"])
    closing = FINISH_SECONDS + END_SECONDS + STATEMENT_SECONDS
    assert gateway["spec"]["terminationGracePeriodSeconds"] >= drain + closing + AIR_SECONDS
    (exit_seconds,) = map(int, EXIT_SECONDS.findall((DEPLOY / "images" / "serve-triton").read_text()))
    assert exit_seconds > WORK_SECONDS
    (program, seconds) = only(triton)["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    assert int(seconds) >= NAME_SERVER_SECONDS + RESOLVE_EVERY_SECONDS + RESOLVE_SECONDS
    assert triton["spec"]["terminationGracePeriodSeconds"] >= int(seconds) + exit_seconds + AIR_SECONDS


def test_a_drain_outlasts_the_readiness_probe(resources: list[Resource]) -> None:
    gateway = only(deployed(resources, "gateway"))
    drain = float(config_of(resources, gateway)["FROND_DRAIN_SECONDS"])
    probe = gateway["readinessProbe"]
    assert drain == 0 or drain > probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]


def test_every_variable_is_a_setting_or_known_to_the_image(resources: list[Resource]) -> None:
    for name, template in pod_templates(resources):
        for container in containers(template):
            ours = {key for key in config_of(resources, container) if key.startswith("FROND_")}
            assert ours <= set(SETTINGS), name


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_the_gateway_starts_with_the_settings_of_an_overlay(
    overlay: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = render(overlay)
    template = deployed(resources, "gateway")
    mounts = [mount["mountPath"] for mount in only(template)["volumeMounts"]]
    (tmp_path / "secret").write_text("s" * 64)
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name, value in config_of(resources, only(template)).items():
        if value.startswith("/"):
            assert any(value.startswith(mount) for mount in mounts), f"{name}: nothing is mounted at {value}"
            value = str(tmp_path if name.endswith("_DIR") else tmp_path / "secret")  # noqa: PLW2901
        monkeypatch.setenv(name, value)
    assert Settings().host == "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_a_gateway_may_hold_what_it_is_told_to(overlay: Path) -> None:
    gateway = only(deployed(render(overlay), "gateway"))
    held = int(config_of(render(overlay), gateway)["FROND_MAX_HELD_BYTES"])
    assert mebibytes(gateway["resources"]["limits"]["memory"]) * 2**20 >= 3 * held + 256 * 2**20


def mebibytes(quantity: str) -> int:
    return int(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]


def test_shared_memory_and_scratch_fit_into_the_memory_limit(resources: list[Resource]) -> None:
    for name, template in pod_templates(resources):
        volumes = template["spec"].get("volumes", ())
        in_memory = [each["emptyDir"] for each in volumes if each.get("emptyDir", {}).get("medium") == "Memory"]
        limit = mebibytes(template["spec"]["containers"][0]["resources"]["limits"]["memory"])
        assert sum(mebibytes(each["sizeLimit"]) for each in in_memory) <= limit / 2, name


def test_images_are_pinned_and_ours_are_of_this_version(resources: list[Resource]) -> None:
    images = [each["image"] for _, template in pod_templates(resources) for each in containers(template)]
    for image in images:
        tag = image.rpartition("/")[2].partition(":")[2]
        assert tag == VERSION if "frond" in image else re.search("@sha256:[0-9a-f]{64}$", image), image
    assert any(image.partition(":")[0].endswith("gateway") for image in images)


def test_every_volume_is_there_and_used(resources: list[Resource]) -> None:
    for name, template in pod_templates(resources):
        volumes = {volume["name"]: volume for volume in template["spec"].get("volumes", ())}
        mounted = {mount["name"] for each in containers(template) for mount in each.get("volumeMounts", ())}
        assert mounted == set(volumes), name
        for volume in volumes.values():
            assert len(volume) == 2, volume
            if "configMap" in volume:
                named(resources, "ConfigMap", volume["configMap"]["name"])
            if "persistentVolumeClaim" in volume:
                named(resources, "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])


def secrets_of(resources: list[Resource]) -> set[tuple[str, str | None]]:
    """Names and keys of the secrets that the pods refer to."""
    found: set[tuple[str, str | None]] = set()
    for _, template in pod_templates(resources):
        for container in containers(template):
            references = [each.get("valueFrom", {}).get("secretKeyRef") for each in container.get("env", ())]
            found |= {(each["name"], each["key"]) for each in references if each}
        for secret in (each["secret"] for each in template["spec"].get("volumes", ()) if "secret" in each):
            found |= {(secret["secretName"], item["key"]) for item in secret.get("items", [{"key": None}])}
    return found


def test_secrets_are_referred_to_and_never_written_down(resources: list[Resource]) -> None:
    assert of_kind(resources, "Secret") == []
    guide = GUIDE.read_text()
    assert [name for name, _ in secrets_of(resources) if f"`{name}`" not in guide] == []
    for _, template in pod_templates(resources):
        for container in containers(template):
            literal = {each["name"] for each in container.get("env", ()) if "value" in each}
            assert not [name for name in literal if re.search("PASSWORD|SECRET|KEY|DATABASE_URL", name)]


def test_the_dev_overlays_script_makes_every_secret_that_it_needs() -> None:
    overlay = DEPLOY / "overlays" / "dev"
    texts = [subprocess.run([overlay / "secrets.sh"], capture_output=True, text=True, check=True).stdout for _ in "12"]
    assert texts[0] != texts[1]
    made = {secret["metadata"]["name"]: secret["stringData"] for secret in yaml.safe_load_all(texts[0])}
    resources = render(overlay)
    for name, key in secrets_of(resources):
        assert key is None or key in made[name]
    config = config_of(resources, only(deployed(resources, "gateway")))
    files = {value.rpartition("/")[2] for value in config.values() if value.startswith("/run/secrets/frond/dev/")}
    assert files == set(made["frond-dev"])
    assert all(len(value) >= 32 for name, data in made.items() for value in data.values())
    assert made["frond-database"]["url"].split(":")[2].split("@")[0] == made["frond-postgres"]["gateway-password"]


def test_every_pod_is_one_that_the_restricted_standard_admits(resources: list[Resource]) -> None:
    (namespace,) = of_kind(resources, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    volumes_allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret", "projected", "downwardAPI"}
    for name, template in pod_templates(resources):
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        for container in containers(template):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["readOnlyRootFilesystem"] is True
        assert {key for volume in spec.get("volumes", ()) for key in volume} - {"name"} <= volumes_allowed


def test_every_container_says_what_it_needs(resources: list[Resource]) -> None:
    for name, template in pod_templates(resources):
        for container in containers(template):
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name


def test_a_rollout_takes_no_pod_before_its_successor_is_ready(resources: list[Resource]) -> None:
    for name in ("gateway", "triton"):
        spec = named(resources, "Deployment", name)["spec"]
        assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        probe = only(spec["template"])["startupProbe"]
        assert spec["progressDeadlineSeconds"] > probe["periodSeconds"] * probe["failureThreshold"]


def test_a_gateway_waits_longer_for_its_start_than_a_triton_has_for_its_own(resources: list[Resource]) -> None:
    deployments = {name: named(resources, "Deployment", name)["spec"] for name in ("gateway", "triton")}
    probes = {name: only(spec["template"])["startupProbe"] for name, spec in deployments.items()}
    seconds = {name: probe["periodSeconds"] * probe["failureThreshold"] for name, probe in probes.items()}
    assert seconds["gateway"] > deployments["triton"]["progressDeadlineSeconds"] > seconds["triton"]


def test_a_priority_that_is_named_is_defined(resources: list[Resource]) -> None:
    wanted = {
        pod["spec"]["priorityClassName"] for _, pod in pod_templates(resources) if "priorityClassName" in pod["spec"]
    }
    assert wanted <= {each["metadata"]["name"] for each in of_kind(resources, "PriorityClass")}


def test_what_is_scaled_by_itself_has_no_number_and_stays_above_its_disruption_budget(
    resources: list[Resource],
) -> None:
    for scaled in of_kind(resources, "ScaledObject"):
        target = named(resources, "Deployment", scaled["spec"]["scaleTargetRef"]["name"])
        assert "replicas" not in target["spec"]
        budget = named(resources, "PodDisruptionBudget", target["metadata"]["name"])
        assert scaled["spec"]["minReplicaCount"] > budget["spec"]["maxUnavailable"]


def test_a_slice_of_a_gpu_replaces_the_whole_one() -> None:
    limits: dict[str, Any] = only(deployed(render(DEPLOY / "overlays" / "multi-instance-gpu"), "triton"))["resources"][
        "limits"
    ]
    assert [key for key in limits if key.startswith("nvidia.com/")] == ["nvidia.com/mig-1g.10gb"]


@pytest.mark.parametrize("overlay", ["production", "multi-instance-gpu"])
def test_tritons_with_gpus_share_the_engines_where_their_models_keep_them(overlay: str) -> None:
    resources = render(DEPLOY / "overlays" / overlay)
    template = deployed(resources, "triton")
    assert "--model-config-name=gpu" in only(template)["args"]
    settings = (ROOT / "model_repository" / "classifier" / "configs" / "gpu.pbtxt").read_text()
    (kept,) = re.findall(r'"trt_engine_cache_path" value: "(.*?)"', settings)
    (mount,) = [each for each in only(template)["volumeMounts"] if kept.startswith(f"{each['mountPath']}/")]
    (volume,) = [each for each in template["spec"]["volumes"] if each["name"] == mount["name"]]
    claim = named(resources, "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_an_autoscaler_asks_for_the_pods_beside_it_and_takes_no_answer_for_no_load() -> None:
    queries = 0
    for scaled in of_kind(render(DEPLOY / "overlays" / "production"), "ScaledObject"):
        for trigger in (each["metadata"] for each in scaled["spec"]["triggers"] if each["type"] == "prometheus"):
            queries += 1
            assert set(re.findall('namespace="(.*?)"', trigger["query"])) == {scaled["metadata"]["namespace"]}
            assert trigger["ignoreNullValues"] == "false"
    assert queries == 3


def test_kserve_runs_triton_with_the_rights_and_places_that_a_deployment_gives_it() -> None:
    (runtime,) = read(DEPLOY / "kserve" / "serving-runtime.yaml")
    (there,) = runtime["spec"]["containers"]
    here = deployed(render(DEPLOY / "base"), "triton")
    assert {**here["spec"]["securityContext"], **only(here)["securityContext"]}.items() >= there[
        "securityContext"
    ].items()
    assert there["securityContext"]["readOnlyRootFilesystem"] is True
    assert [each["mountPath"] for each in there["volumeMounts"]] == [
        each["mountPath"] for each in only(here)["volumeMounts"]
    ]


def test_numbers_go_up_at_once_and_down_slowly() -> None:
    for scaled in of_kind(render(DEPLOY / "overlays" / "production"), "ScaledObject"):
        behavior = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300
        assert behavior["scaleDown"]["policies"][0]["value"] == 1
