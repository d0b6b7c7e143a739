"""`frond diagnose`: one assessment of one or several photos, as a picture in the terminal or as the contract's JSON."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from rich.console import Console

from cli.connection import Connection, connect, read_photo
from cli.failure import Failure
from cli.rendering import render
from frond.types import MAX_IMAGES, DiagnosisResponse
from preprocess.errors import ImageError
from preprocess.header import read_header
from stack.ports import LOOPBACK

TIMEOUT_SECONDS = 10.0  # the client's hard limit of 8 s and a little, so that the gateway's own error is seen


def diagnose(
    photos: Annotated[list[Path], typer.Argument(help=f"1 to {MAX_IMAGES} photos of one plant")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer as it came")] = False,
    top_k: Annotated[int, typer.Option(min=1, max=100, help="how many predictions at most")] = 5,
    model_version: Annotated[str | None, typer.Option(help="a served version; else the one that is promoted")] = None,
    key: Annotated[
        uuid.UUID | None, typer.Option(help="idempotency key; the same key again replays the answer")
    ] = None,
    url: Annotated[str | None, typer.Option(help="a gateway elsewhere")] = None,
    token: Annotated[str | None, typer.Option(help="its bearer token (or FROND_TOKEN)")] = None,
) -> None:
    """Diagnose the photos together. Exit status: 0 an answer, 1 an error."""
    if len(photos) > MAX_IMAGES:
        raise Failure(f"One assessment has at most {MAX_IMAGES} photos; these are {len(photos)}.")
    key = key or uuid.uuid4()
    request = {
        "assessmentId": f"cli-{key}",  # the same key asks for the same
        "plantContext": {"id": "cli"},
        "client": {"platform": "cli"},
        "modelVersion": model_version,
        "topK": top_k,
    }
    contents = [(path.name, read_photo(path)) for path in photos]
    answer = ask(connect(url, token), request, contents, key)
    if as_json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        names = [name for name, _ in contents]
        Console(highlight=False).print(render(DiagnosisResponse.model_validate(answer), names))
    if not answer["success"]:
        raise typer.Exit(1)


def ask(
    connection: Connection, request: Mapping[str, object], photos: list[tuple[str, bytes]], key: uuid.UUID
) -> dict[str, object]:
    """Send one assessment as multipart/form-data and return the envelope, whether answer or error."""
    files: list[tuple[str, tuple[str | None, bytes, str]]] = [
        ("request", (None, json.dumps(request).encode(), "application/json")),
        *(("images", (name, content, _content_type(content))) for name, content in photos),
    ]
    headers = {"Authorization": f"Bearer {connection.token}", "Idempotency-Key": str(key)}
    try:
        # A proxy of the environment is for addresses elsewhere; this machine's own it cannot reach, nor should see.
        is_elsewhere = httpx2.URL(connection.url).host != LOOPBACK
        with httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=is_elsewhere) as client:
            response = client.post(f"{connection.url}/v1/ai-inference", headers=headers, files=files)
        answer: dict[str, object] = response.json()
        DiagnosisResponse.model_validate(answer)
    except httpx2.TransportError as error:
        raise Failure(f"{connection.url} does not answer: {error or type(error).__name__}.") from error
    except ValueError as error:
        raise Failure(f"{connection.url} answered {response.status_code}, but not as Frond does.") from error
    return answer


def _content_type(photo: bytes) -> str:
    """What the photo's first bytes say; a photo that cannot be read is sent all the same, for its typed error."""
    try:
        return read_header(photo).content_type
    except ImageError:
        return "image/jpeg"
