"""Names the engine of a shipped release after its graph in `configs/gpu.pbtxt`: what `make train` does at its end."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from training.atomic import replace_text
from training.importer.config import ENGINE_PREFIX, engine_prefix

LINE = re.compile(rf'(key: "{ENGINE_PREFIX}" value: ")[^"]*(")')


def stamp(model: Path) -> None:
    """`model`: its folder in the repository. Comments stay; raises `ValueError` where there is no such parameter."""
    file = model / "configs" / "gpu.pbtxt"
    prefix = engine_prefix((model / "1" / "model.onnx").read_bytes())
    text, count = LINE.subn(rf"\g<1>{prefix}\g<2>", file.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f"{file} names {ENGINE_PREFIX} {count} times; expected once.")
    replace_text(file, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a model's folder, as model_repository/classifier")
    stamp(parser.parse_args().model)


if __name__ == "__main__":
    main()
