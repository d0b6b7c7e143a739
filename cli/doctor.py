"""`frond doctor`: what this machine lacks to run Frond, and the fix."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from stack.doctor import examine
from stack.paths import StatePaths
from stack.ports import DEFAULT_PORT

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "missing": ("✗", "red")}


def doctor(
    *,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            envvar="FROND_PORT",
            help=f"the port meant for the gateway; else the one it has while it runs, or {DEFAULT_PORT}",
        ),
    ] = None,
) -> None:
    """Check this machine. Exit status: 0 everything that is needed is there, 1 something is missing."""
    console = Console(highlight=False)
    findings = []
    for finding in examine(StatePaths.default(), port):
        findings.append(finding)
        console.print(Text.assemble(MARKS[finding.level], f" {finding.name}: {finding.found}"), soft_wrap=True)
        if finding.fix:
            console.print(Text(f"  → {finding.fix}"), soft_wrap=True)
    missing = sum(finding.level == "missing" for finding in findings)
    console.print("\nFrond can run here." if not missing else f"\n{missing} of {len(findings)} checks failed.")
    raise typer.Exit(1 if missing else 0)
