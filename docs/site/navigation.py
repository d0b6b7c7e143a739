"""What stands in the site's navigation, by reader. A page that is in none of these lists fails the build, and so does
a list that names a page which is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

BY_READER = {
    "You build an app": [
        "guides/integrate",
        "guides/typescript",
        "Tensors through the gateway <guides/open-inference-protocol>",
        "reference/coordinator",
        "reference/errors",
        "reference/http",
        "reference/sdk",
    ],
    "You operate it": [
        "guides/operate",
        "guides/kubernetes",
        "guides/compose",
        "guides/supabase",
        "guides/images",
        "guides/database",
        "guides/photo-storage",
        "guides/regions",
        "guides/add-a-model",
        "gpu",
        "guides/monitoring",
        "guides/tracing",
        "runbooks/index",
        "guides/disaster",
        "guides/keys",
        "Capacity <capacity>",
        "guides/load-testing",
        "reference/settings",
        "reference/metrics",
    ],
    "You work on it": [
        "architecture/index",
        "decisions/index",
        "threat-model",
        "Benchmarks <benchmarks>",
        "Where the time goes <tuning>",
    ],
}
# Folders whose pages are below the folder's own.
BELOW = {
    "architecture/index": ["request", "idempotency", "model", "guarantees"],
    "runbooks/index": ["Frond*"],
    "decisions/index": ["0*"],
}


def toctrees(page: str) -> Iterator[str]:
    """In Markdown, to go behind the page's own; on GitHub there is none."""
    if page == "index":
        for reader, pages in BY_READER.items():
            yield toctree(pages, caption=reader)
    elif page in BELOW:
        yield toctree(BELOW[page], is_hidden=page != "decisions/index")


def toctree(pages: list[str], caption: str = "", *, is_hidden: bool = True) -> str:
    options = [
        ":glob:",
        ":maxdepth: 1",
        *([":hidden:"] if is_hidden else []),
        *([f":caption: {caption}"] if caption else []),
    ]
    return "\n".join(["", "```{toctree}", *options, "", *pages, "```", ""])


def append(_app: Sphinx, page: str, source: list[str]) -> None:
    source[0] += "".join(toctrees(page))


def setup(app: Sphinx) -> None:
    app.connect("source-read", append)
