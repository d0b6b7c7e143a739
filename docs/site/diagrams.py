"""Mermaid diagrams: GitHub draws a fenced block, here the page does it, with a script that lies beside it."""

from __future__ import annotations

import hashlib
import html
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import copyfile

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# One file of Mermaid's own makers that needs no other. It knows all diagrams but mindmaps and `architecture`.
MERMAID = Path(__file__).parent / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"
# Readers' browsers run it: another file under the same version is refused.
SHA256 = "9f2807e402479d2864bfd9a95052076fc69d0ff45a0b25148b84b70fc33425b9"
MARK = '<pre class="mermaid">'


class Mermaid(SphinxDirective):
    """Its source as text, which is what is read where no script runs."""

    has_content: ClassVar[bool] = True

    def run(self) -> list[nodes.Node]:
        source = html.escape("\n".join(self.content))
        return [nodes.raw("", f"{MARK}{source}</pre>", format="html")]


def load_where_needed(app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    if MARK in context.get("body", ""):
        app.add_js_file(MERMAID.name)
        app.add_js_file("diagrams.js")


def copy_script(app: Sphinx, error: Exception | None) -> None:
    if error is None:
        copyfile(MERMAID, app.outdir / "_static" / MERMAID.name)


def setup(app: Sphinx) -> None:
    if not MERMAID.is_file() or hashlib.sha256(MERMAID.read_bytes()).hexdigest() != SHA256:
        raise ExtensionError(f"{MERMAID} is not the file that this version is known by; `make docs` fetches it.")
    app.add_directive("mermaid", Mermaid)
    app.connect("html-page-context", load_where_needed)
    app.connect("build-finished", copy_script)
