"""`make help` says what there is to make."""

from __future__ import annotations

import re
import subprocess

from stack.paths import ROOT


def test_every_target_says_what_it_is_for() -> None:
    command = ["make", "--no-print-directory", "help"]  # silent about folders inside `make test` as well
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {line.split(maxsplit=1)[0] for line in said.splitlines()} == set(phony.split())
    assert all(len(line.split(maxsplit=1)[1]) > 8 for line in said.splitlines())
