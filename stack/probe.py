"""`python -m stack.probe ready|live`: whether the Triton on this machine diagnoses a photo; exit status 0 is yes.

For health checks inside the container, so it needs nothing but Python. Triton calls a model ready whose Python process
has died, and its server healthy (server issue 8604): only a photo tells. There is one for each instance of `diagnose`
at the same time, so that they meet different ones.

- ready: every photo is diagnosed within `READY_SECONDS`.
- live: no photo fails in a way that a restart mends. A server that has too much to do, and one whose active release is
  broken or not loaded, refuses in words: it is alive, and would be no better afterwards. A classifier that is loaded
  and does not answer is dead.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from stack.synthetic import InferenceRequest, plain_photo

MODEL = "diagnose"
READY_SECONDS = 8.0  # as long as a phone waits
LIVE_SECONDS = 20.0  # however loaded the server is, a photo that is out for longer hangs
OVERLAP_SECONDS = 0.002  # longer than the batcher waits for company, shorter than a run
REFUSED = (429, 503)
CLASSIFIER_OUT = b"The classifier is not available."  # in the words of `diagnose`


class ProbeError(Exception):
    """What is wrong."""


def ask(address: str, method: str, path: str, seconds: float, request: InferenceRequest | None = None) -> Any:
    """The status and the body of Triton's answer. Raises `ProbeError` when there is none in time."""
    connection = HTTPConnection(address, timeout=seconds)
    headers = {"Inference-Header-Content-Length": str(request.header_bytes)} if request else {}
    try:
        connection.request(method, path, request.body if request else None, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, HTTPException) as error:
        raise ProbeError(f"Triton does not answer: {error!r}") from error
    finally:
        connection.close()


def instances(address: str, seconds: float) -> int:
    """How many instances of `diagnose` there are; raises `ProbeError` while it is not loaded."""
    status, body = ask(address, "GET", f"/v2/models/{MODEL}/config", seconds)
    if status != 200:
        raise ProbeError(f"{MODEL} is not loaded: {body.decode()}")
    return sum(int(group["count"]) for group in json.loads(body)["instance_group"])


def has_lost_its_classifier(address: str, seconds: float, repository: Path) -> bool:
    """Is the active release's model loaded, although it does not answer?"""
    try:
        releases = json.loads((repository / "releases.json").read_bytes())
        model = releases["releases"][releases["active"]]
    except (OSError, ValueError, KeyError, TypeError):  # Triton could not start again with this
        return False
    status, _ = ask(address, "GET", f"/v2/models/{model}/ready", seconds)
    return bool(status == 200)


def probe(address: str, seconds: float, *, alive_in: Path | None = None) -> None:
    """Raises `ProbeError`. With a model repository in `alive_in` a refusal that a restart would not mend is enough."""
    number, request = instances(address, seconds), InferenceRequest.of(plain_photo())

    def is_enough(status: int, body: bytes) -> bool:
        if status not in REFUSED or alive_in is None:
            return status == 200
        return CLASSIFIER_OUT not in body or not has_lost_its_classifier(address, seconds, alive_in)

    def diagnose(turn: int) -> None:
        time.sleep(turn * OVERLAP_SECONDS)
        status, body = ask(address, "POST", f"/v2/models/{MODEL}/infer", seconds, request)
        if not is_enough(status, body):
            raise ProbeError(f"a photo was not diagnosed: {status} {body[:200].decode(errors='replace')}")

    with ThreadPoolExecutor(number) as pool:
        list(pool.map(diagnose, range(number)))


def main(arguments: list[str]) -> None:
    if arguments not in (["live"], ["ready"]):
        sys.exit("usage: python -m stack.probe ready|live")
    address = os.environ.get("FROND_TRITON_HTTP", "127.0.0.1:8000")
    try:
        if arguments == ["ready"]:
            probe(address, READY_SECONDS)
        else:
            probe(address, LIVE_SECONDS, alive_in=Path(os.environ.get("FROND_MODEL_REPOSITORY", "/models")))
    except ProbeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
