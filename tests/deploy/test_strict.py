"""Every overlay and component renders to what the API servers take, and no misspelt field gets through."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests.deploy.manifests import (
    COMPONENTS,
    DEPLOY,
    OVERLAYS,
    Resource,
    complaint,
    name_of,
    read,
    render,
    render_component,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KSERVE = sorted(DEPLOY.glob("kserve/*.yaml"))
# Maps whose keys are the author's to choose.
FREE = {"labels", "annotations", "matchLabels", "data", "limits", "requests", "nodeSelector"}
# Of a KEDA trigger: the scaler's own, checked below.
FREE_PATHS = {"triggers.metadata"}
PROMETHEUS_TRIGGER = {"serverAddress", "ignoreNullValues", "query", "threshold"}


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_an_overlay_is_valid(overlay: Path) -> None:
    resources = render(overlay)
    assert len(resources) > 10
    assert {name_of(each): complaint(each) for each in resources if complaint(each)} == {}


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda path: path.name)
def test_a_component_alone_is_valid(component: Path, tmp_path: Path) -> None:
    resources = render_component(component, tmp_path)
    assert {name_of(each): complaint(each) for each in resources if complaint(each)} == {}


@pytest.mark.parametrize("path", KSERVE, ids=lambda path: path.name)
def test_the_example_for_kserve_is_valid(path: Path) -> None:
    assert [complaint(resource) for resource in read(path)] == [None]


def every_kind() -> list[Resource]:
    """The largest resource of each kind."""
    resources = [each for overlay in OVERLAYS for each in render(overlay)]
    resources += [each for path in (*KSERVE, *DEPLOY.glob("components/*/[!k]*.yaml")) for each in read(path)]
    largest: dict[str, Resource] = {}
    for resource in resources:
        if "metadata" in resource and len(str(resource)) > len(str(largest.get(resource["kind"], ""))):
            largest[resource["kind"]] = resource
    return [largest[kind] for kind in sorted(largest)]


@pytest.mark.parametrize("resource", every_kind(), ids=lambda resource: str(resource["kind"]))
def test_a_planted_typo_is_caught_at_every_depth(resource: Resource) -> None:
    assert complaint(resource) is None
    planted = list(with_typos(resource))
    assert planted
    missed = [where for where, broken in planted if complaint(broken) is None]
    assert missed == []


def with_typos(resource: Resource) -> Iterator[tuple[str, Resource]]:
    """One copy for each map below, with a key in it that nobody knows."""
    for where in maps(resource):
        broken = copy.deepcopy(resource)
        node: Any = broken
        for step in where:
            node = node[step]
        node["repilcas"] = 1
        yield ".".join(map(str, where)) or "the top", broken


def maps(node: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    names = [str(step) for step in at if isinstance(step, str)]
    if names and (names[-1] in FREE or ".".join(names[-2:]) in FREE_PATHS):
        return
    if isinstance(node, dict):
        yield at
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from maps(value, (*at, key))


def test_the_fields_of_keda_triggers_are_those_of_their_scalers() -> None:
    triggers = [
        trigger
        for path in DEPLOY.glob("components/autoscaling/*.yaml")
        for resource in read(path)
        for trigger in resource.get("spec", {}).get("triggers", ())
    ]
    assert triggers
    for trigger in triggers:
        expected = {"value"} if trigger["type"] == "cpu" else PROMETHEUS_TRIGGER
        assert set(trigger["metadata"]) == expected
        assert all(isinstance(value, str) for value in trigger["metadata"].values())
