"""Imports point one way: the table below is the architecture, and every source file is held to it."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MAY_IMPORT: dict[str, frozenset[str]] = {
    "preprocess": frozenset(),
    "frond": frozenset(),
    "gateway": frozenset({"frond", "preprocess"}),
    "training": frozenset({"preprocess"}),
    "stack": frozenset(),
    "cli": frozenset({"frond", "preprocess", "stack", "training"}),
    "loadtest": frozenset({"cli", "frond", "gateway", "preprocess", "stack", "training"}),
    "model_repository": frozenset({"preprocess"}),
    "backends": frozenset(),
}
FOLDERS = {"frond": "client/src/frond"}

# Inside a slice of the gateway: routes → service → Protocols; adapters fill the Protocols and know no service.
SLICE_RANKS = {"routes": 3, "service": 2, "store": 1, "triton": 1, "protocols": 0}
SLICE_RANKS |= {"local_routes": 3, "local": 1, "s3": 1, "supabase": 1}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / FOLDERS.get(package, package)).rglob("*.py"))


def imported_modules(source: Path) -> set[str]:
    tree = ast.parse(source.read_text())
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return modules | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_the_architecture_lets_it(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    wrong = [
        f"{source.relative_to(ROOT)} imports {module}"
        for source in sources(package)
        for module in imported_modules(source)
        if (top := module.split(".")[0]) in MAY_IMPORT and top not in allowed
    ]
    assert not wrong


@pytest.mark.parametrize("package", [package for package in MAY_IMPORT if package != "model_repository"])
def test_a_package_of_the_table_exists(package: str) -> None:
    assert sources(package)


def test_the_only_part_of_preprocess_that_the_gateway_loads_is_plain_python() -> None:
    from_preprocess = {
        module
        for source in sources("gateway")
        for module in imported_modules(source)
        if module.startswith("preprocess")
    }
    assert from_preprocess <= {"preprocess.header", "preprocess.errors"}


def test_inside_a_slice_of_the_gateway_imports_point_from_routes_to_protocols() -> None:
    wrong = []
    for source, module in itertools.chain.from_iterable(
        ((source, module) for module in imported_modules(source)) for source in sources("gateway")
    ):
        slice_, _, name = module.removeprefix("gateway.").partition(".")
        here, there = SLICE_RANKS.get(source.stem), SLICE_RANKS.get(name)
        same_slice = module.startswith("gateway.") and source.parent.name == slice_
        if same_slice and here is not None and there is not None and there >= here:
            wrong.append(f"{source.relative_to(ROOT)} imports {module}")
    assert not wrong


def test_only_the_app_joins_the_routes() -> None:
    joiners = {
        source.relative_to(ROOT / "gateway").as_posix()
        for source in sources("gateway")
        if any(module.startswith("gateway.") and module.endswith(".routes") for module in imported_modules(source))
    }
    assert joiners == {"app.py"}
