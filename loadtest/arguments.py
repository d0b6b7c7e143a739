"""What every tool of the load tests takes for an argument: what cannot be is refused before anything is started."""

from __future__ import annotations

import argparse
import math
import os
from argparse import ArgumentTypeError
from pathlib import Path

MOST_SECOND_SENDINGS = 0.5  # of all requests: each is sent twice


def parser(module: str, description: str) -> argparse.ArgumentParser:
    """Of `python -m MODULE`."""
    return argparse.ArgumentParser(
        prog=f"python -m {module}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def positive(text: str) -> float:
    if not 0 < (number := _number(text)) < math.inf:
        raise ArgumentTypeError(f"{text} is not above 0 and finite")
    return number


def whole(text: str) -> int:
    """1 and more."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"{text} is no whole number above 0")
    return number


def second_sendings(text: str) -> float:
    if not 0 <= (number := _number(text)) <= MOST_SECOND_SENDINGS:
        raise ArgumentTypeError(f"{text} is no share from 0 to {MOST_SECOND_SENDINGS:g}")
    return number


def folder(text: str) -> Path:
    """Made at once: a result that cannot be written is found out before it is measured."""
    path = Path(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentTypeError(f"{text} cannot be made: {error.strerror}") from error
    if not os.access(path, os.W_OK):
        raise ArgumentTypeError(f"{text} cannot be written to")
    return path


def file(text: str) -> Path:
    """Its folder is made at once."""
    path = Path(text)
    folder(str(path.parent))
    if path.is_dir() or (path.exists() and not os.access(path, os.W_OK)):
        raise ArgumentTypeError(f"{text} is no file that can be written")
    return path


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no number") from None
