"""Numbers as people read them, by Grafana's names of units."""

from __future__ import annotations

import math

BINARY = ("B", "KiB", "MiB", "GiB", "TiB")
THOUSANDS = ("", " k", " M", " G")
PLAIN = {"reqps": "/s", "ops": "/s", "watt": " W", "short": ""}
LONG_SECONDS = ((86400, "d"), (3600, "h"), (60, "min"))


def text(value: float, unit: str, decimals: int | None = None) -> str:
    match unit:
        case "percentunit":
            return f"{number(value * 100, 2 if decimals is None else decimals)} %"
        case "s":
            return seconds(value)
        case "bytes":
            return scaled(value, 1024, BINARY, " ")
        case _:
            few = (
                scaled(value, 1000, THOUSANDS, "") if decimals is None or abs(value) >= 1e4 else number(value, decimals)
            )
            return few + PLAIN[unit]


def number(value: float, decimals: int) -> str:
    """Without zeros at the end."""
    written = f"{value:.{decimals}f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def seconds(value: float) -> str:
    for size, name in LONG_SECONDS:
        if abs(value) >= size:
            return f"{number(value / size, 1)} {name}"
    return f"{number(value * 1000, 1)} ms" if 0 < abs(value) < 1 else f"{number(value, 2)} s"


def scaled(value: float, base: int, names: tuple[str, ...], gap: str) -> str:
    power = min(int(math.log(abs(value), base)), len(names) - 1) if abs(value) >= 1 else 0
    return f"{number(value / base**power, 2)}{gap}{names[power]}"
