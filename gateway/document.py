"""`python -m gateway.document`: print the OpenAPI document, without a gateway that runs or settings for one."""

from __future__ import annotations

import json
from typing import Any

from pydantic import AnyHttpUrl

from gateway.app import create_app
from gateway.settings import Settings


def document() -> dict[str, Any]:
    """As a gateway with the default storage serves it at `/openapi.json`."""
    # Unvalidated, so that nothing of the environment gets in: an application that is not opened needs no keys.
    settings = Settings.model_construct(public_url=AnyHttpUrl("http://localhost"))
    return create_app(settings).openapi()


if __name__ == "__main__":
    print(json.dumps(document(), indent=2, ensure_ascii=False))
