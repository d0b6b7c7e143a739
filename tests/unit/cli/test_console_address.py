"""The console's address as the command line prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import jwt

from cli.connection import LOCAL_USER, console_address
from stack import keys
from stack.paths import StatePaths
from stack.state import State

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_token_stands_in_the_fragment_which_no_server_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROND_STATE_DIR", str(tmp_path))
    keys.prepare(StatePaths.default())
    state = State(1, "http://127.0.0.1:8080", "", "", "", "", "")
    address = urlsplit(console_address(state))
    assert (address.netloc, address.path, address.query) == ("127.0.0.1:8080", "/", "")
    token = address.fragment.removeprefix("token=")
    assert jwt.decode(token, options={"verify_signature": False})["sub"] == str(LOCAL_USER)
