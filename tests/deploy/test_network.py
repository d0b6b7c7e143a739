"""Who may speak to whom, and that nobody is kept from what he needs."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.deploy.manifests import (
    DEPLOY,
    TRITON_PORTS,
    Resource,
    config_of,
    deployed,
    of_kind,
    only,
    pod_templates,
    render,
)


def test_triton_is_reached_by_its_gateways_and_prometheus_alone() -> None:
    policies = of_kind(render(DEPLOY / "overlays" / "production"), "NetworkPolicy")
    (deny,) = [each for each in policies if each["metadata"]["name"] == "deny"]
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    opening = [
        rule
        for each in policies
        if "triton" in str(each["spec"]["podSelector"])
        for rule in each["spec"].get("ingress", ())
    ]
    gateways = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "gateway"}}}
    prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert opening == [
        {"from": [gateways], "ports": [{"port": "grpc"}]},
        {"from": [prometheus], "ports": [{"port": "metrics"}]},
    ]


def ways_out(resources: list[Resource], template: Resource) -> list[Resource] | None:
    """The egress rules for a pod; None: no policy limits it."""
    labels = template["metadata"]["labels"].items()
    limiting = [
        each["spec"]
        for each in of_kind(resources, "NetworkPolicy")
        if "Egress" in each["spec"]["policyTypes"]
        and each["spec"]["podSelector"].get("matchLabels", {}).items() <= labels
    ]
    return [rule for spec in limiting for rule in spec.get("egress", ())] if limiting else None


def test_every_port_that_a_gateway_must_reach_is_open_to_it() -> None:
    resources = render(DEPLOY / "overlays" / "production")
    rules = ways_out(resources, deployed(resources, "gateway"))
    assert {TRITON_PORTS["grpc"], 5432, 443} <= {port["port"] for rule in rules or () for port in rule["ports"]}


def test_a_pod_whose_way_out_is_limited_can_look_names_up(resources: list[Resource]) -> None:
    for name, template in pod_templates(resources):
        rules = ways_out(resources, template)
        open_ports = {(port["port"], port.get("protocol", "TCP")) for rule in rules or () for port in rule["ports"]}
        assert rules is None or {(53, "UDP"), (53, "TCP")} <= open_ports, name


@pytest.mark.parametrize("name", ["gateway", "triton"])
def test_traces_go_to_one_collector_that_may_be_reached(name: str) -> None:
    resources = render(DEPLOY / "overlays" / "production")
    (triton,) = deployed(resources, "triton")["spec"]["containers"]
    url = urlsplit(config_of(resources, triton)["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
    assert config_of(resources, only(deployed(resources, "gateway")))["FROND_OTLP_ENDPOINT"] == url.geturl()
    assert url.path == "/v1/traces"
    namespace = (url.hostname or "").split(".")[1]
    opening = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    rules = ways_out(resources, deployed(resources, name)) or []
    assert [rule for rule in rules if rule["to"] == [opening] and rule["ports"] == [{"port": url.port}]]
