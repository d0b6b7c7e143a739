"""Where the gateway is and with which token to ask it: from the options, else from the local runtime."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt

from cli.failure import Failure
from stack.keys import AUDIENCE, ISSUER, signing_key
from stack.paths import StatePaths
from stack.state import State, read_state

LOCAL_USER = uuid.UUID("00000000-0000-4000-8000-000000000001")  # whoever works on this machine
TOKEN_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Connection:
    """A gateway's address and a bearer token that it accepts."""

    url: str
    token: str


def connect(url: str | None, token: str | None) -> Connection:
    """The connection to use; raises `Failure` when nothing runs here and nothing else was named."""
    token = token or os.environ.get("FROND_TOKEN")
    if url:
        if not token:
            raise Failure("A gateway elsewhere needs a token: --token or FROND_TOKEN.")
        return Connection(url.rstrip("/"), token)
    state = read_state(StatePaths.default())
    if state is None:
        raise Failure("Frond is not running here. Start it with `frond up`, or name a gateway with --url.")
    return Connection(state.gateway_url, token or local_token(LOCAL_USER))


def local_token(user: uuid.UUID, role: str = "authenticated", lifetime: timedelta = TOKEN_LIFETIME) -> str:
    """An ES256 token for the local runtime, signed with its own key."""
    key = signing_key(StatePaths.default())
    now = datetime.now(UTC)
    claims = {"sub": str(user), "role": role, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + lifetime}
    return jwt.encode(claims, key.private, algorithm="ES256", headers={"kid": key.kid})


def console_address(state: State) -> str:
    """With a token of this machine's user in the fragment, which browsers keep to themselves; good for an hour."""
    return f"{state.gateway_url}/#token={local_token(LOCAL_USER)}"


def read_photo(path: Path) -> bytes:
    """The photo's bytes; raises `Failure` where there is no such file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.") from error
