"""What a Deployment of the rendered manifests says about its pods, as far as processes on one machine can follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.deploy.manifests import Resource, config_of, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Secrets = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Probe:
    """A path to GET at a port, or a command to run, and how often it may fail."""

    command: tuple[str, ...] | None
    port: int
    path: str
    period_seconds: int
    timeout_seconds: int
    failure_threshold: int


@dataclass(frozen=True, slots=True)
class Workload:
    """A pod template with one container. `command` is None where the image's own is run."""

    name: str
    replicas: int
    command: tuple[str, ...] | None
    env: Mapping[str, str]
    mounts: Mapping[Path, str]
    startup: Probe
    readiness: Probe
    liveness: Probe
    pre_stop: tuple[str, ...]
    grace_seconds: int


def workload(resources: list[Resource], name: str, secrets: Secrets, folder: Path) -> Workload:
    """`secrets` are those of the cluster, by name and key; `folder` is where their files are written."""
    deployment = named(resources, "Deployment", name)
    rolling = deployment["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxUnavailable": 0, "maxSurge": 1}, "only one by one, the new one first, is done here"
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    return Workload(
        name=name,
        replicas=deployment["spec"]["replicas"],
        command=tuple(container["command"]) if "command" in container else None,
        env=environment(container, resources, secrets),
        mounts=dict(secret_mounts(pod, container, secrets, folder)),
        startup=probe(container["startupProbe"], ports),
        readiness=probe(container["readinessProbe"], ports),
        liveness=probe(container["livenessProbe"], ports),
        pre_stop=tuple(container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ())),
        grace_seconds=pod["terminationGracePeriodSeconds"],
    )


def probe(said: dict[str, Any], ports: Mapping[str, int]) -> Probe:
    get = said.get("httpGet", {"port": None, "path": ""})
    return Probe(
        command=tuple(said["exec"]["command"]) if "exec" in said else None,
        port=ports.get(get["port"], 0),
        path=get["path"],
        period_seconds=said["periodSeconds"],
        timeout_seconds=said["timeoutSeconds"],
        failure_threshold=said["failureThreshold"],
    )


def environment(container: Resource, resources: list[Resource], secrets: Secrets) -> dict[str, str]:
    references = {each["name"]: each.get("valueFrom", {}).get("secretKeyRef") for each in container.get("env", ())}
    known = {name: secrets[key["name"]][key["key"]] for name, key in references.items() if key}
    return config_of(resources, container) | known


def secret_mounts(pod: Resource, container: Resource, secrets: Secrets, folder: Path) -> Iterator[tuple[Path, str]]:
    volumes = {volume["name"]: volume["secret"] for volume in pod.get("volumes", ()) if "secret" in volume}
    for mount in container.get("volumeMounts", ()):
        if mount["name"] in volumes:
            volume = volumes[mount["name"]]
            files = folder / volume["secretName"]
            files.mkdir(parents=True, exist_ok=True)
            for item in volume["items"]:
                (files / item["path"]).write_text(secrets[volume["secretName"]][item["key"]])
            yield files, mount["mountPath"]
