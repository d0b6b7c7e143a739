"""Ports: free ones, and who has one that is taken."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from stack.errors import PortTakenError
from stack.listeners import listener
from stack.ports import LOOPBACK, free_ports, is_free
from stack.runtime import gateway_port


def test_free_ports_are_different_and_can_be_bound() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(is_free(port) for port in ports)


def test_free_ports_are_not_those_that_the_kernel_gives_to_clients() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(free_ports(20)) < lowest


def test_a_taken_port_is_refused_with_the_process_that_has_it() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTakenError) as refused:
            gateway_port(port)
        found = listener(port)
    assert found is not None
    assert found.pid == os.getpid()
    assert str(refused.value).startswith(f"Port {port} is taken by {found.name} (process {os.getpid()}).")
    assert refused.value.exit_code == 2


def test_a_port_that_any_address_listens_on_is_taken() -> None:
    with socket.create_server(("", 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_port_0_picks_a_free_one() -> None:
    assert is_free(gateway_port(0))


def test_nobody_listens_on_a_free_port() -> None:
    assert listener(free_ports(1)[0]) is None
