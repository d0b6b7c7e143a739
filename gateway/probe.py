"""`python -m gateway.probe live|ready`: the health check of a container that has no curl; exit status 0 is healthy."""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT_SECONDS = 4.0  # Triton, out of order, is found out within this


def probe(question: str, port: int) -> str | None:
    """What is wrong with the gateway on this port of the loopback interface; None when nothing is."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", f"/health/{question}")
        response = connection.getresponse()
        return None if response.status == 200 else response.read().decode()
    except (OSError, HTTPException) as error:
        return repr(error)
    finally:
        connection.close()


def main(arguments: list[str]) -> None:
    if arguments not in (["live"], ["ready"]):
        sys.exit("usage: python -m gateway.probe live|ready")
    sys.exit(probe(arguments[0], int(os.environ.get("FROND_PORT", "8080"))))


if __name__ == "__main__":
    main(sys.argv[1:])
