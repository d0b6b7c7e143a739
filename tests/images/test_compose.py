"""compose.yaml as Compose itself understands it, against what the services behind it need."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from gateway.__main__ import FINISH_SECONDS
from gateway.settings import MigrationSettings, Settings
from stack import compose, keys
from stack.paths import ROOT, StatePaths
from stack.traces import url_below
from tests.images.dockerfiles import value_of

OURS = ("gateway", "triton", "triton-gpu", "migrations")
WATCHERS = {"prometheus", "traces", "grafana"}
HARDENED = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}


@functools.cache
def configuration(*options: str) -> dict[str, Any]:
    """`docker compose config`, which fails at an unknown key and at a name that nothing has."""
    program = Path(sys.executable).with_name("docker-compose")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FROND_", "COMPOSE_"))}
    done = subprocess.run(
        [program, *options, "config", "--format", "json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def services(profile: str = "cpu") -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = configuration("--profile", profile)["services"]
    return found


EVERY = {**services("cpu"), **services("gpu")}
EACH = pytest.mark.parametrize("name", EVERY)


def seconds(text: str) -> float:
    return sum(float(number) * {"m": 60, "s": 1}[unit] for number, unit in re.findall(r"([\d.]+)([ms])", text))


def on(*networks: str) -> set[str]:
    """The services on any of them."""
    return {name for name, service in EVERY.items() if service.get("networks", {}).keys() & set(networks)}


def test_the_processor_serves_unless_the_gpu_is_asked_for() -> None:
    assert set(configuration()["services"]) == set(services("cpu"))
    assert set(services("cpu")) - set(services("gpu")) == {"triton"}
    assert set(services("gpu")) - set(services("cpu")) == {"triton-gpu"}


def test_either_triton_has_the_name_that_the_gateway_and_prometheus_ask() -> None:
    for name in ("triton", "triton-gpu"):
        networks = EVERY[name]["networks"]
        assert {network: networks[network]["aliases"] for network in networks} == {
            "serving": ["triton"],
            "watching": ["triton"],
        }
    assert "--model-config-name=gpu" in EVERY["triton-gpu"]["command"]
    assert EVERY["triton-gpu"]["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]


@pytest.mark.parametrize("name", ["triton", "triton-gpu"])
def test_the_traces_of_either_triton_go_where_the_gateways_go(name: str) -> None:
    collector = EVERY["gateway"]["environment"]["FROND_OTLP_ENDPOINT"]
    assert EVERY[name]["environment"]["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] == url_below(collector)
    assert set(EVERY[name]["networks"]) & set(EVERY[str(urlsplit(collector).hostname)]["networks"])


def test_only_the_gateway_is_published_and_nothing_beyond_this_machine_unless_it_is_asked_for() -> None:
    published = {
        (name, port["host_ip"], int(port["published"]))
        for name, service in EVERY.items()
        for port in service.get("ports", ())
    }
    assert published == {("gateway", "127.0.0.1", 8080), ("storage", "127.0.0.1", 8333), ("grafana", "127.0.0.1", 3000)}


def test_only_what_is_published_has_a_way_out() -> None:
    networks = configuration()["networks"]
    assert {name for name, network in networks.items() if not network.get("internal")} == {"edge", "uploads"}
    assert on("edge") == {"gateway", "grafana"}
    assert on("uploads") == {"storage"}


def test_the_storage_is_reached_by_the_gateway_alone_and_by_its_own_job_from_within() -> None:
    assert on(*EVERY["storage"]["networks"]) == {"storage", "gateway"}
    assert EVERY["bucket"]["network_mode"] == "service:storage"


def test_triton_is_reached_by_the_gateway_and_those_who_watch_alone() -> None:
    assert on("serving", "watching") == {"triton", "triton-gpu", "gateway", *WATCHERS}


@EACH
def test_a_container_cannot_change_itself_nor_gain_rights(name: str) -> None:
    assert {key: EVERY[name][key] for key in HARDENED} == HARDENED
    added = EVERY[name].get("cap_add", [])
    assert added == (["CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID"] if name == "storage" else [])


@EACH
def test_every_image_is_a_release_and_what_is_not_built_here_has_its_digest(name: str) -> None:
    image, _, digest = EVERY[name]["image"].partition("@")
    assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", image)
    assert re.fullmatch("sha256:[0-9a-f]{64}", digest) or name in OURS


@EACH
def test_what_is_mounted_is_there(name: str) -> None:
    for volume in EVERY[name].get("volumes", ()):
        if volume["type"] == "bind":
            assert Path(volume["source"]).exists(), volume
            assert volume["read_only"]


@EACH
def test_no_secret_stands_in_the_environment(name: str) -> None:
    for key, value in (EVERY[name].get("environment") or {}).items():
        if re.search("PASSWORD|SECRET|_KEY|DATABASE_URL", key):
            assert value.startswith("/run/secrets/"), key


def test_the_secrets_are_those_that_are_made(tmp_path: Path) -> None:
    compose.prepare(StatePaths(tmp_path))
    first = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    compose.prepare(StatePaths(tmp_path))
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}, (
        "the volumes were made with them"
    )
    mounted = {Path(secret["file"]).name: name for name, secret in configuration()["secrets"].items()}
    assert {name for name in mounted if (tmp_path / "keys" / name).stat().st_mode & 0o444 == 0o444} == set(mounted)
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0, "nobody else of this machine may read them"
    assert "signing-key.pem" not in mounted
    used = {secret["source"] for service in EVERY.values() for secret in service.get("secrets", ())}
    assert used == set(mounted)


@pytest.mark.parametrize("name", ["gateway", "migrations"])
def test_the_settings_of_the_gateway_are_complete_and_right(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compose.prepare(StatePaths(tmp_path))
    service = EVERY[name]
    for setting in Settings.model_fields | MigrationSettings.model_fields:
        monkeypatch.delenv(f"FROND_{setting.upper()}", raising=False)
    for variable, value in service["environment"].items():
        here = value.replace("/run/secrets", str(tmp_path / "keys"))
        monkeypatch.setenv(variable, str(ROOT / "model_repository") if here == "/models" else here)
    mounted = {secret["source"] for secret in service["secrets"]}
    named = {Path(value).name for value in service["environment"].values() if value.startswith("/run/secrets/")}
    assert named == mounted
    kind = Settings if name == "gateway" else MigrationSettings
    settings = kind()
    assert set(service["environment"]) <= {f"FROND_{each.upper()}" for each in kind.model_fields}
    if isinstance(settings, Settings):
        assert settings.s3_bucket == compose.BUCKET
        assert settings.jwt_issuer == keys.ISSUER
        assert settings.jwt_audience == keys.AUDIENCE
        assert settings.database_url.get_secret_value().startswith("postgresql://frond_gateway:")


def test_the_gateway_has_time_to_drain_and_triton_to_finish() -> None:
    gateway = EVERY["gateway"]
    drain = float(gateway["environment"]["FROND_DRAIN_SECONDS"])
    assert seconds(gateway["stop_grace_period"]) > drain + FINISH_SECONDS
    (exit_timeout,) = re.findall(r"exit-timeout-secs=(\d+)", (ROOT / "deploy/images/serve-triton").read_text())
    assert seconds(EVERY["triton"]["stop_grace_period"]) > float(exit_timeout)


def test_the_gateway_waits_for_what_it_needs() -> None:
    conditions = {name: each["condition"] for name, each in EVERY["gateway"]["depends_on"].items()}
    assert conditions == {
        "migrations": "service_completed_successfully",
        "bucket": "service_completed_successfully",
        "triton": "service_healthy",
        "triton-gpu": "service_healthy",
    }
    assert [name for name, each in EVERY["gateway"]["depends_on"].items() if not each["required"]] == [
        "triton",
        "triton-gpu",
    ], "whichever of them there is"
    assert EVERY["migrations"]["depends_on"]["postgres"]["condition"] == "service_healthy"


@pytest.mark.parametrize("name", ["triton", "triton-gpu"])
def test_shared_memory_holds_a_full_batch_of_the_largest_photos(name: str) -> None:
    """Eight requests of 161 MB at most would be 1.3 GB; those of eight phones, 12 MP each, are 40 MB."""
    assert int(EVERY[name]["shm_size"]) >= 1 << 30


def test_the_ports_are_those_of_the_images() -> None:
    exposed = {int(port) for port in value_of("gateway", "EXPOSE").arguments}
    assert {port["target"] for port in EVERY["gateway"]["ports"]} <= exposed
    scraped = yaml.safe_load((ROOT / "deploy/monitoring/prometheus/prometheus.yaml").read_text())["scrape_configs"]
    found = {entry["names"][0]: entry["port"] for job in scraped for entry in job.get("dns_sd_configs", ())}
    assert found == {"gateway": 9090, "triton": 8002}
    assert found["triton"] in {int(port) for port in value_of("triton", "EXPOSE").arguments}
    assert found["gateway"] == int(re.findall(r"FROND_METRICS_PORT=(\d+)", value_of("gateway", "ENV").value)[0])


def test_grafana_asks_the_servers_that_are_there() -> None:
    folder = ROOT / "deploy" / "monitoring" / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "frond.yaml").read_text())["datasources"]
    assert {re.split("[/:]+", source["url"])[1] for source in sources} <= EVERY.keys()
    (provider,) = yaml.safe_load((folder / "dashboards" / "frond.yaml").read_text())["providers"]
    assert provider["options"]["path"] in {volume["target"] for volume in EVERY["grafana"]["volumes"]}


@EACH
def test_health_checks_use_what_is_in_the_image(name: str) -> None:
    check = EVERY[name].get("healthcheck", {}).get("test", ["NONE"])
    assert check[0] in {"CMD", "NONE"}
    if name in OURS and check[0] == "CMD":
        assert check[1:3] == ["python", "-m"]
