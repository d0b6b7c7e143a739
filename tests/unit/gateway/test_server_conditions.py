"""What the status says of each Triton: its breaker, its calls and its version, and never its address."""

from __future__ import annotations

import dataclasses
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from tritonclient.grpc import service_pb2

from gateway.inference.service import open_inference
from gateway.metrics import Metrics
from gateway.status.protocols import ServerCondition
from gateway.status.service import StatusService
from gateway.status.window import Window, read
from tests.fake_triton import FakeTriton, serving
from tests.gateways import SigningKey, settings_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.inference.service import Inference


class TellingTriton(FakeTriton):
    """Says which release of Triton it is."""

    async def ServerMetadata(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802  (the protocol's name)
        return service_pb2.ServerMetadataResponse(name="triton", version="2.51.0")


@asynccontextmanager
async def inference(folder: Path, *fakes: FakeTriton | None, **settings: Any) -> AsyncIterator[Inference]:
    """Over so many Tritons, each tried once; None is one that is not there."""
    async with AsyncExitStack() as stack:
        addresses = [
            "127.0.0.1:1" if fake is None else await stack.enter_async_context(serving(fake)) for fake in fakes
        ]
        configured = settings_in(folder, SigningKey(), triton_grpc=",".join(addresses), **settings)
        model = await stack.enter_async_context(open_inference(configured, Metrics()))
        await model.check()
        yield model


async def test_one_that_works_tells_its_version(tmp_path: Path) -> None:
    async with inference(tmp_path, TellingTriton()) as model:
        assert await model.conditions() == [ServerCondition("closed", 0, "2.51.0")]


async def test_one_that_is_out_is_told_beside_the_other_without_a_version(tmp_path: Path) -> None:
    async with inference(tmp_path, TellingTriton(), None) as model:
        conditions = await model.conditions()
    assert {condition.version for condition in conditions} == {"2.51.0", None}
    assert {condition.breaker for condition in conditions if condition.version} == {"closed"}
    assert {condition.breaker for condition in conditions if not condition.version} <= {"open", "half_open"}


async def test_two_releases_on_one_triton_are_one_server(tmp_path: Path) -> None:
    async with inference(tmp_path, TellingTriton(), degraded_version="small") as model:
        assert len(await model.conditions()) == 1


def test_a_condition_has_no_field_for_an_address() -> None:
    assert {field.name for field in dataclasses.fields(ServerCondition)} == {"breaker", "in_flight", "version"}


class CountingServers:
    def __init__(self) -> None:
        self.asked = 0

    async def conditions(self) -> list[ServerCondition]:
        self.asked += 1
        return []


async def test_many_who_ask_within_a_second_cost_one_look() -> None:
    servers, metrics = CountingServers(), Metrics()
    service = StatusService(Window(lambda: read(metrics)), servers)
    for _ in range(10):
        await service.status()
    assert servers.asked == 1
