"""`python -m deploy.monitoring.generate` (`make monitoring`): writes the files anew."""

from __future__ import annotations

from deploy.monitoring.generate.files import files

for path, content in files().items():
    path.write_text(content)
