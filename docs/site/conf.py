"""The documentation site, `make docs`: Sphinx over the Markdown of `docs/`, which GitHub shows as it is."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "Frond"
html_title = "Frond"
language = "en"
extensions = ["myst_parser", "addresses", "diagrams", "navigation", "sources"]
exclude_patterns = ["site"]

# Anchors as GitHub makes them, down to the level that pages link to.
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
smartquotes = False
highlight_language = "text"
# Code that leaves something out («…») gets no colours, and is no mistake.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_favicon = "../../gateway/console/static/icon.svg"
