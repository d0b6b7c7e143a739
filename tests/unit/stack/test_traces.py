"""Where the local stack sends traces, and what Triton is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.tracing import traces_url
from stack.traces import url_below
from stack.triton import Addresses, serve_command

ADDRESSES = Addresses("h:1", "h:2", "h:3", "key")


@pytest.mark.parametrize("endpoint", ["http://collector:4318", "http://collector:4318/", "https://c/otlp/v1/traces"])
def test_triton_sends_to_where_the_gateway_does(endpoint: str) -> None:
    assert url_below(endpoint) == traces_url(endpoint)


def test_triton_traces_what_comes_with_a_context_and_nothing_of_its_own_accord() -> None:
    command = serve_command(Path("/r"), Path("/b"), ADDRESSES, "p", traces_url="http://c/v1/traces")
    assert "--trace-config=rate=0" in command.argv
    assert "--trace-config=opentelemetry,url=http://c/v1/traces" in command.argv
    assert command.env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] == "http://c/v1/traces"


def test_without_a_collector_triton_is_told_nothing_of_traces() -> None:
    command = serve_command(Path("/r"), Path("/b"), ADDRESSES, "p")
    assert not [option for option in command.argv if "trace-config" in option]
    assert not [name for name in command.env if name.startswith("OTEL")]
