"""Where traces go."""

from __future__ import annotations


def url_below(endpoint: str) -> str:
    """The collector's base URL completed as OTLP says; one with a path is taken as it is. As the gateway does it."""
    scheme, _, rest = endpoint.partition("://")
    _, _, path = rest.partition("/")
    return endpoint if path else f"{scheme}://{rest.rstrip('/')}/v1/traces"
