"""A second release beside the shipped one, promoted and rolled back while it is asked."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loadtest.scenarios.catalogue import RELEASES
from stack.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

SHIPPED = ROOT / "model_repository" / "classifier" / "1"
SIZE = 224  # of the shipped network's input


@contextmanager
def two_releases(seconds: float) -> Iterator[None]:
    """The shipped network once more under another name; it has the traffic in the middle third of so many seconds."""
    second = RELEASES[1]
    files = (str(SHIPPED / "model.onnx"), "--labels", str(SHIPPED / "labels.json"))
    _model("add", *files, "--size", str(SIZE), "--version", second)
    over = threading.Event()
    switching = threading.Thread(target=_switch, args=(seconds / 3, second, over))
    switching.start()
    try:
        yield
    finally:
        over.set()
        switching.join()


def _switch(pause_seconds: float, version: str, over: threading.Event) -> None:
    for command in (("promote", version), ("rollback",)):
        if over.wait(pause_seconds):
            return
        _model(*command)


def _model(*arguments: str) -> None:
    """`frond model …`; raises CalledProcessError."""
    subprocess.run([sys.executable, "-m", "cli.app", "model", *arguments], cwd=ROOT, check=True)
