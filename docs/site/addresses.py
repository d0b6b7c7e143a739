"""Under which address a page lies: `README.md` at its folder's, since what GitHub shows of a folder is called so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sphinx.project import Project

if TYPE_CHECKING:
    import os

    from sphinx.application import Sphinx


class Folders(Project):
    """`docs/runbooks/README.md` is the document `runbooks/index`."""

    def path2doc(self, filename: str | os.PathLike[str]) -> str | None:
        page = super().path2doc(filename)
        folder, slash, name = (page or "").rpartition("/")
        return f"{folder}{slash}index" if name == "README" else page


def take_over(app: Sphinx) -> None:
    app.project = app.env.project = Folders(app.srcdir, app.config.source_suffix)


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", take_over)
