"""`frond token`: a bearer token for the local runtime."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Annotated

import typer

from cli.connection import LOCAL_USER, TOKEN_LIFETIME, local_token


def token(
    *,
    user: Annotated[uuid.UUID, typer.Option(help="the subject, a UUID")] = LOCAL_USER,
    minutes: Annotated[int, typer.Option(min=1, help="valid for so long")] = int(TOKEN_LIFETIME.total_seconds() // 60),
    role: Annotated[str, typer.Option(help="the database role it asks for")] = "authenticated",
) -> None:
    """Print an ES256 token that the local gateway accepts. A token for tests: its key lies in the state folder."""
    print(local_token(user, role, timedelta(minutes=minutes)))
