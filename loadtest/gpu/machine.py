"""What a measurement ran on: device, driver, processor, and the versions of what took part."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = (
    "nvidia-pytriton",
    "onnxruntime",
    "onnxruntime-gpu",
    "nvidia-cudnn-cu13",
    "tensorrt-cu13",
    "numpy",
    "pillow",
)
QUERY = ("name", "driver_version", "memory.total")


def describe() -> dict[str, Any]:
    """`device` is None on a machine without a GPU."""
    return {
        "device": device(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "packages": dict(filter(None, map(_version, PACKAGES))),
    }


def device() -> dict[str, str] | None:
    """The first GPU, as nvidia-smi names it."""
    values = _nvidia_smi(*QUERY)
    return dict(zip(QUERY, values, strict=True)) if values else None


def memory_used_mib() -> int | None:
    """Of the first GPU, by everybody on it."""
    values = _nvidia_smi("memory.used")
    return int(values[0]) if values else None


def _nvidia_smi(*fields: str) -> list[str]:
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    lines = output.splitlines()
    return [value.strip() for value in lines[0].split(",")] if lines else []


def _processor() -> str:
    models = (line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name"))
    return next(models, platform.machine())


def _cpu_lines() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


def _version(package: str) -> tuple[str, str] | None:
    try:
        return package, importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
