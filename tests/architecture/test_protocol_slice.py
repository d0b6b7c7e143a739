"""The Open Inference Protocol: a data plane that knows no transport, and two transports with equal file names."""

from __future__ import annotations

import ast
from pathlib import Path

SLICE = Path(__file__).parents[2] / "gateway" / "protocol"
TRANSPORTS = ("fastapi", "starlette", "grpc.aio", "gateway.protocol.rest", "gateway.protocol.grpc")


def imported(source: Path) -> set[str]:
    tree = ast.parse(source.read_text())
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return modules | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_the_data_plane_imports_no_transport() -> None:
    sources = sorted(SLICE.glob("*.py"))
    assert sources
    assert not [(source.name, name) for source in sources for name in imported(source) if name.startswith(TRANSPORTS)]


def test_neither_transport_knows_the_other() -> None:
    for here, there in (("rest", "grpc"), ("grpc", "rest")):
        for source in (SLICE / here).glob("*.py"):
            assert not [name for name in imported(source) if name.startswith(f"gateway.protocol.{there}")]


def test_what_both_transports_need_has_the_same_name_in_both() -> None:
    rest, grpc = ({source.name for source in (SLICE / name).glob("*.py")} for name in ("rest", "grpc"))
    assert {"codec.py", "routes.py"} <= rest & grpc
