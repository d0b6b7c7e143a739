"""A container without an engine: an image's files, read-only, its user without any right, its process as number 1."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stack.command import log_tail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.images.building import Image

STOP_SECONDS = 40
NO_RIGHTS = ("--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")


@dataclass(frozen=True, slots=True)
class Mounts:
    """Folders of this machine by their place in the container."""

    read_only: Mapping[str, Path] = field(default_factory=dict)
    writable: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Container:
    image: Image
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    first_process: int
    log: Path

    def is_healthy(self) -> bool:
        """By the image's own health check."""
        kind, *command = self.image.configuration["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.run(*command).returncode == 0

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Beside its process, as `docker exec` does."""
        inside = [
            shutil.which("nsenter") or "nsenter",
            f"--target={self.first_process}",
            "--mount",
            "--pid",
            "--root",
            "--wd",
        ]
        return subprocess.run(
            [*inside, *as_user(self.image), *command],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        os.kill(self.first_process, signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def output(self) -> str:
        return log_tail(self.log)


def as_user(image: Image) -> list[str]:
    user, _, group = image.configuration["User"].partition(":")
    return ["setpriv", f"--reuid={user}", f"--regid={group}", *NO_RIGHTS]


@contextmanager
def running(
    image: Image,
    log: Path,
    environment: Mapping[str, str],
    mounts: Mounts | None = None,
    command: list[str] | None = None,
) -> Iterator[Container]:
    """The image's command, or another. It shares this machine's network, so ports must be given."""
    mounts, variables = mounts or Mounts(), {**image.environment, **environment}
    options = ["--ro-bind", str(image.root), "/", "--proc", "/proc", "--dev", "/dev"]
    options += ["--perms", "1777", "--tmpfs", "/tmp", "--perms", "1777", "--size", str(1 << 30), "--tmpfs", "/dev/shm"]
    for place, folder in mounts.read_only.items():
        options += ["--ro-bind", str(folder), place]
    for place, folder in mounts.writable.items():
        options += ["--bind", str(folder), place]
    options += ["--clearenv", *(word for name, value in variables.items() for word in ("--setenv", name, value))]
    options += ["--chdir", image.configuration["WorkingDir"] or "/", "--unshare-pid", "--as-pid-1", "--die-with-parent"]
    reading, writing = os.pipe()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bwrap", *options, "--info-fd", str(writing), "--", *as_user(image), *(command or image.command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(writing,),
        )
    os.close(writing)
    with os.fdopen(reading) as information:
        first_process = int(json.load(information)["child-pid"])
    try:
        yield Container(image, variables, process, first_process, log)
    finally:
        end(process, first_process)


def end(process: subprocess.Popen[bytes], first_process: int) -> None:
    """With its process number 1 all others go; the change of user has undone that it dies with its parent."""
    if process.poll() is None:
        os.kill(first_process, signal.SIGKILL)
    process.wait()
