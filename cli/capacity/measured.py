"""What a request costs, as `make scale` measured it: the file that it writes and `frond capacity` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from cli.capacity.queueing import between
from cli.failure import Failure

SHIPPED = Path(__file__).with_name("measured.json")

Seconds = Annotated[float, Field(ge=0, le=3600)]
Bytes = Annotated[float, Field(ge=0, le=1e15)]
MOST_BYTES = 2**20  # of a file: what is longer, or has no end, was not written by `make scale`


class Measured(BaseModel):
    """camelCase in the file; what is unknown in it is refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
    )


class CpuSeconds(Measured):
    """Of one request with one photo, by the programs that spend them."""

    gateway: Seconds
    database: Seconds
    triton: Seconds = Field(description="tritonserver itself")
    decoding: Seconds = Field(description="the processes of `diagnose`")
    classifier: Seconds = Field(description="the processes of the classifier; with a GPU there are none")

    @property
    def total(self) -> float:
        return self.gateway + self.database + self.triton + self.decoding + self.classifier


class Request(Measured):
    """One size of photo."""

    megapixels: float = Field(gt=0, le=1000)
    photo_bytes: Bytes
    cpu_seconds: CpuSeconds
    alone_seconds: Seconds = Field(description="answer time with nothing else to do")


class Memory(Measured):
    """Bytes of one process each, proportional set size after load; the database as a whole."""

    gateway: Bytes
    triton: Bytes
    decoding: Bytes
    classifier: Bytes
    database: Bytes


class Row(Measured):
    """One answered request in PostgreSQL."""

    table_bytes: Bytes
    index_bytes: Bytes
    wal_bytes: Bytes
    pages_written: float = Field(ge=0, le=1e6, description="of 8 KiB, by whomever, until the row is deleted")


class Measurements(Measured):
    """All of the file."""

    machine: str
    cores: int = Field(ge=1, description="that all of it shared")
    command: str
    network: str = Field(description="what the classifier was")
    requests: list[Request] = Field(min_length=1)
    memory: Memory
    row: Row

    def request(self, megapixels: float) -> Request:
        """Between the sizes that were measured, and beyond them, on straight lines."""

        def at(values: list[float]) -> float:
            sizes = [request.megapixels for request in self.requests]
            return between(zip(sizes, values, strict=True), megapixels)

        cpu = {
            name: at([getattr(request.cpu_seconds, name) for request in self.requests])
            for name in CpuSeconds.model_fields
        }
        return Request(
            megapixels=megapixels,
            photo_bytes=at([request.photo_bytes for request in self.requests]),
            cpu_seconds=CpuSeconds(**cpu),
            alone_seconds=at([request.alone_seconds for request in self.requests]),
        )


def contents(path: Path) -> bytes:
    """The beginning of the file, which is all of those that are meant."""
    with path.open("rb") as opened:
        return opened.read(MOST_BYTES)


def read(path: Path = SHIPPED) -> Measurements:
    """Raises `Failure` where the file is none of `make scale`."""
    try:
        return Measurements.model_validate_json(contents(path))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "the file"
        raise Failure(
            f"{path} is no measurement: {where}: {error.errors()[0]['msg']}. `make scale` makes one."
        ) from None
