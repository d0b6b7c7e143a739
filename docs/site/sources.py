"""Links from a page into the source tree, which GitHub follows and a site cannot: to the repository, or none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

logger = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>\.\./[^)#]*)(?P<anchor>#[^)]*)?\)")


def lead_to_the_repository(app: Sphinx, page: str, source: list[str]) -> None:
    """To `repository`, such as `https://github.com/you/frond/blob/main`. Without one the links' text is left."""
    folder = app.srcdir / Path(page).parent

    def led(link: re.Match[str]) -> str:
        path = (folder / link["target"]).resolve()
        if path.is_relative_to(app.srcdir):
            return link[0]
        if not path.exists() or not path.is_relative_to(ROOT):
            logger.warning("there is no %s", link["target"], location=page)
        if not app.config.repository:
            return link["text"]
        return f"[{link['text']}]({app.config.repository}/{path.relative_to(ROOT)}{link['anchor'] or ''})"

    source[0] = LINK.sub(led, source[0])


def setup(app: Sphinx) -> None:
    app.add_config_value("repository", "", "env", str)
    app.connect("source-read", lead_to_the_repository)
