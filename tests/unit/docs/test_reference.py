"""The reference pages say what the code does: each setting, each error, each metric, and no other."""

from __future__ import annotations

import runpy
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from gateway import errors
from gateway.__main__ import KEEP_ALIVE_SECONDS
from gateway.body import GRACE_SECONDS, MIN_BYTES_PER_SECOND
from gateway.connection import MAX_HEAD_BYTES, MAX_PIPELINED, MIN_READ_BYTES, Connection
from gateway.deadline import MAX_CALLER_SECONDS
from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.settings import MigrationSettings, RepositorySettings, Settings
from preprocess import errors as photos
from preprocess.errors import ImageError
from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from pydantic.fields import FieldInfo

REFERENCE = ROOT / "docs" / "reference"
OF_GATEWAY = ("frond_gateway_", "frond_client_")


def rows(page: str) -> list[list[str]]:
    """The cells of all tables, less their headings."""
    lines = (REFERENCE / page).read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")]
    return [[cell.strip("` |") for cell in row] for row in cells]


def default_of(field: FieldInfo) -> str:
    value: Any = field.default
    if field.is_required():
        return "required"
    if value is None or value == ():
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def subclasses(root: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    for child in root.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_setting_is_described_with_its_default() -> None:
    fields = {**Settings.model_fields, **RepositorySettings.model_fields, **MigrationSettings.model_fields}
    expected = [
        [f"FROND_{name.upper()}", (field.description or "").strip("`"), default_of(field)]
        for name, field in fields.items()
    ]
    assert sorted(rows("settings.md")) == sorted(expected)


def test_the_fixed_limits_are_those_of_the_code() -> None:
    text = (REFERENCE / "settings.md").read_text()
    head = f"{MAX_HEAD_BYTES // 1024} KiB, within {Connection.head_seconds:.0f} s"
    body = f"{MAX_CALLER_SECONDS:.0f} s, or"
    pace = f"after {GRACE_SECONDS:.0f} s at least {MIN_BYTES_PER_SECOND // 1024} KiB/s"
    reader = f"{MIN_READ_BYTES // 1024} KiB in {Connection.read_seconds:.0f} s"
    for limit in (head, body, pace, reader, f"| {MAX_PIPELINED} |", f"| {KEEP_ALIVE_SECONDS} s,"):
        assert limit in text


def test_every_error_is_described_with_its_category_status_and_whether_to_try_again() -> None:
    expected = {
        each.code: [each.category.value, str(each.status), "yes" if each.category.value == "server" else "no"]
        for each in subclasses()
        if each.__module__ == errors.__name__ and "code" in vars(each)
    }
    described = {row[0]: row[1:4] for row in rows("errors.md") if len(row) > 2}
    assert described == expected
    assert all(len(row) == 6 and row[4] for row in rows("errors.md") if len(row) > 2)


def test_every_fault_of_a_photo_is_described() -> None:
    faults = [each for each in vars(photos).values() if isinstance(each, type) and issubclass(each, ImageError)]
    assert {row[0] for row in rows("errors.md") if len(row) == 2} == {fault.code for fault in faults}


def test_every_metric_is_described_with_its_type_and_labels() -> None:
    described = {row[0]: row[1:3] for row in rows("metrics.md") if row[0].startswith(OF_GATEWAY)}
    assert described == dict(families(Metrics()))


def families(metrics: Metrics) -> Iterator[tuple[str, list[str]]]:
    for metric in [each for each in vars(metrics).values() if hasattr(each, "_labelnames")]:
        (family,) = metric.collect()
        suffix = "_total" if family.type == "counter" else ""
        yield family.name + suffix, [family.type, ", ".join(metric._labelnames) or "–"]
    yield "frond_gateway_build_info", ["gauge", "version"]


class Family:
    """As Triton's Python backend has it; remembers what it was asked for."""

    COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
    made: ClassVar[dict[str, list[str]]] = {}

    def __init__(self, name: str, description: str, kind: str) -> None:
        assert description
        self.entry = self.made[name] = [kind]

    def Metric(self, labels: dict[str, str], **_: Any) -> Series:  # noqa: N802  (Triton's name)
        self.entry[1:] = [", ".join(labels)]
        return Series()


class Series:
    def take(self, value: float) -> None:
        pass

    increment = observe = set = take


def test_every_metric_of_the_model_is_described_with_its_type_and_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", SimpleNamespace(MetricFamily=Family))
    path = ROOT / "model_repository" / "diagnose" / "1" / "metrics.py"
    diagnosis = {
        "images": [{"error": None}],
        "predictions": [{"confidence": 0.9}],
        "abstainReason": None,
        "model": {"version": "1"},
    }
    runpy.run_path(str(path))["Metrics"]("diagnose_0_0").report([diagnosis], {"decode": 0.1}, {"1": True})
    described = {row[0]: row[1:3] for row in rows("metrics.md") if row[0].startswith("frond_")}
    assert {name: row for name, row in described.items() if not name.startswith(OF_GATEWAY)} == Family.made
