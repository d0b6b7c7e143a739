"""The Dockerfiles as their instructions say, and what .dockerignore lets an engine see of this tree."""

from __future__ import annotations

import fnmatch
import io
import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dockerfile_parse import DockerfileParser

from stack.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("gateway", "triton")


@dataclass(frozen=True, slots=True)
class Instruction:
    word: str
    value: str

    @property
    def options(self) -> list[str]:
        return [part for part in shlex.split(self.value) if part.startswith("--")]

    @property
    def arguments(self) -> list[str]:
        return [part for part in shlex.split(self.value) if not part.startswith("--")]

    @property
    def listed(self) -> Any:
        """The JSON form: `CMD ["…"]`, that of a health check too."""
        return json.loads(self.value[self.value.index("[") :])


def instructions(name: str) -> list[Instruction]:
    parser = DockerfileParser(fileobj=io.BytesIO((ROOT / f"Dockerfile.{name}").read_bytes()))
    return [
        Instruction(each["instruction"], each["value"]) for each in parser.structure if each["instruction"] != "COMMENT"
    ]


def last_stage(name: str) -> list[Instruction]:
    every = instructions(name)
    start = max(number for number, each in enumerate(every) if each.word == "FROM")
    return every[start:]


def value_of(name: str, word: str) -> Instruction:
    """The instruction that the image ends up with."""
    return [each for each in last_stage(name) if each.word == word][-1]


def copied_from_here(name: str) -> list[str]:
    copies = [each for each in instructions(name) if each.word == "COPY"]
    return [
        source
        for each in copies
        if not any(option.startswith("--from") for option in each.options)
        for source in each.arguments[:-1]
    ]


def is_sent(path: Path) -> bool:
    """Whether an engine gets this file: the last rule that matches it or a folder above it decides."""
    here = path.relative_to(ROOT)
    names = [str(here), *(str(parent) for parent in here.parents if parent.name)]
    is_ignored = False
    for rule in (ROOT / ".dockerignore").read_text().splitlines():
        if not rule or rule.startswith("#"):
            continue
        pattern = rule.removeprefix("!")
        tail = pattern.removeprefix("**/")
        matches = any(
            fnmatch.fnmatchcase(name, pattern)
            or (tail != pattern and fnmatch.fnmatchcase(name.rpartition("/")[2], tail))
            for name in names
        )
        if matches:
            is_ignored = not rule.startswith("!")
    return not is_ignored
