"""Images built by buildah, which needs no daemon, on a Debian made on the spot in the place of each base image."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stack.paths import ROOT

# Debian 12 has Python 3.11, as the gateway's base has, and the folders of Triton's base, whose Python is Debian's too.
PACKAGES = ("ca-certificates", "libpython3.11", "python3", "python3-pip", "python3-venv")
BUILD_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Image:
    """A built image and its files, unpacked."""

    id: str
    root: Path
    configuration: dict[str, Any]
    layers: list[str]

    @property
    def environment(self) -> dict[str, str]:
        return dict(entry.split("=", 1) for entry in self.configuration["Env"])

    @property
    def command(self) -> list[str]:
        return [*(self.configuration.get("Entrypoint") or []), *(self.configuration.get("Cmd") or [])]


@dataclass(frozen=True, slots=True)
class Builder:
    folder: Path

    def buildah(self, *arguments: str | Path) -> str:
        done = subprocess.run(
            ["buildah", "--root", self.folder / "storage", "--runroot", self.folder / "run", *arguments],
            env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout.strip()

    def make_base(self) -> None:
        """`localhost/base`."""
        archive = self.folder / "base.tar"
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
        subprocess.run(
            [*command, '--customize-hook=ln -s python3 "$1/usr/bin/python"', "bookworm", archive],
            check=True,
            capture_output=True,
            timeout=BUILD_SECONDS,
        )
        container = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", container, archive, "/")
        self.buildah("commit", "--quiet", container, "localhost/base")
        self.buildah("rm", container)

    def build(self, name: str, context: Path = ROOT) -> Image:
        """Each time anew, as in a fresh clone; the dates of the files are put aside."""
        options = ("--format", "docker", "--pull-never", "--timestamp", "0", "--network", "host")
        sources = {"/etc/ssl/certs": "/etc/ssl/certs", self._pip_settings(): "/etc/pip.conf"}
        mounts = [f"--volume={here}:{there}:ro" for here, there in sources.items()]
        arguments = ("--build-arg", "BASE=localhost/base", "--build-arg", "VERSION=0.1.0")
        log = self.buildah(
            "build", *options, *mounts, *arguments, "--file", context / f"Dockerfile.{name}", str(context)
        )
        identity = log.splitlines()[-1]
        description = json.loads(self.buildah("inspect", "--type", "image", identity))["Docker"]
        container = self.buildah("from", "--pull-never", identity)
        root = Path(self.buildah("mount", container))
        return Image(identity, root, description["config"], description["rootfs"]["diff_ids"])

    def _pip_settings(self) -> Path:
        """Where this machine's pip gets its packages from; the image must not know."""
        listed = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
        )
        entries = [line.partition("=") for line in listed.stdout.splitlines()]
        kept = {key.rpartition(".")[2]: value.strip("'") for key, _, value in entries}
        wanted = [
            f"{key} = {kept[key]}" for key in ("index-url", "extra-index-url", "cert", "trusted-host") if key in kept
        ]
        file = self.folder / "pip.conf"
        file.write_text("\n".join(["[global]", *wanted, ""]))
        return file


def missing() -> list[str]:
    return [program for program in ("buildah", "mmdebstrap", "bwrap") if shutil.which(program) is None]


def require() -> None:
    """Skips where images cannot be built."""
    if os.geteuid() != 0:
        pytest.skip("building images without a container engine needs root")
    if lacking := missing():
        pytest.skip(f"building images needs {', '.join(lacking)} (.ci/run installs them)")
