"""Measure a GPU: EfficientNet-B4, ResNet-50 and the shipped EfficientNet-Lite0, bare and served: `make bench-gpu`.

The answers are held to the CPU's first (exit status 1 where they differ). Tables come last but one; the last line is
one JSON object. `--provider cpu` runs everything without a GPU, to try the script.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from loadtest import arguments, ending
from loadtest.gpu import configuration, networks, photos, provider, report
from loadtest.gpu.measurement import Plan, measure
from loadtest.gpu.server import ServerError
from loadtest.gpu.session import ProviderError
from stack.paths import ROOT

AUTO = "auto"
CORES_A_CLIENT = 4  # a client that asks as fast as it can takes a core; the rest decode photos


def main() -> int:
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="frond-gpu-") as temporary:
        folder = Path(temporary)
        try:
            chosen = (
                options.provider
                if options.provider != AUTO
                else _first_that_works(folder / "trial", options.engines.resolve())
            )
            result = measure(_plan(options, chosen), folder, _say)
        except (ServerError, ProviderError) as error:
            print(error, file=sys.stderr)
            return 2
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(report.tables(result))
    print(json.dumps(result))
    return 0 if report.agrees(result) else 1


def _parser() -> argparse.ArgumentParser:
    parser = arguments.parser("loadtest.gpu", __doc__)
    parser.add_argument("--provider", choices=(AUTO, *configuration.PROVIDERS), default=AUTO)
    parser.add_argument("--network", action="append", choices=list(networks.SIZES), help="again for several; all")
    parser.add_argument("--photos", action="append", choices=list(photos.SIZES), help="again for several; all")
    parser.add_argument("--concurrency", type=_numbers, default=(1, 8, 32, 64), help="1,8,32,64")
    parser.add_argument("--batch", type=_numbers, default=(1, 8, 32, 64), help="of bare ONNX Runtime: 1,8,32,64")
    parser.add_argument("--seconds", type=arguments.positive, default=5, help="for each figure")
    clients = max(1, len(os.sched_getaffinity(0)) // CORES_A_CLIENT)
    parser.add_argument("--clients", type=arguments.whole, default=clients, help="processes that ask Triton")
    parser.add_argument(
        "--engines", type=Path, default=ROOT / "build" / "tensorrt", help="where TensorRT keeps its own"
    )
    parser.add_argument("--set", action="append", type=_setting, default=[], metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--out", type=arguments.file, help="the JSON as a file too")
    return parser


def _plan(options: argparse.Namespace, chosen: str) -> Plan:
    _say(f"Measuring on the provider '{chosen}'.")
    return Plan(
        chosen,
        options.network or list(networks.SIZES),
        tuple(options.photos or photos.SIZES),
        options.concurrency,
        options.batch,
        options.seconds,
        options.clients,
        options.engines.resolve(),
        dict(options.settings),
    )


def _first_that_works(folder: Path, engines: Path) -> str:
    """TensorRT, else CUDA; with neither there is no GPU to measure."""
    (network,) = networks.make_repository(folder / "model_repository", [networks.LITE0])
    reasons = []
    for name in provider.ORDER:
        repository = folder / "model_repository"
        configuration.adapt(repository, [network.model], name, engines, {})
        reason = provider.in_a_process(provider.trouble, repository, network.model, network.folder, name)
        if reason is None:
            return name
        reasons.append(f"{name}: {reason}")
    raise ProviderError("\n".join(["No GPU can be used here (--provider cpu tries the script without one).", *reasons]))


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split(","))
    if not all(number > 0 for number in numbers):
        raise ValueError(text)
    return numbers


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or name not in configuration.SETTINGS:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE with one of {', '.join(configuration.SETTINGS)}")
    return name, value


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    ending.run(main)
