"""Checkpoint → ONNX that takes uint8 photos: normalisation and layout are in the graph, where no server errs."""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import asdict
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from training.importer.labels import split_label
from training.network import EfficientNetLite0
from training.train import SERVED_SIZE, normalise

OPSET = 17
INPUT, OUTPUT = "IMAGE", "LOGITS"


class Served(nn.Module):
    """uint8 [N, size, size, 3] → logits float32 [N, classes]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        pixels = image.float()  # first of all: TensorRT takes uint8 into a Cast only
        logits: Tensor = self.network(normalise(pixels.permute(0, 3, 1, 2)))
        return logits


def export(network: nn.Module, size: int, path: Path) -> None:
    """Write the network as ONNX with a dynamic batch; `network` takes float32 [N, 3, size, size], normalised."""
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # The tracing exporter is deprecated; the new one needs onnxscript for the same graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Served(network).eval(),
            (example,),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(str(path), full_check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--release", type=Path, required=True, help="the folder whose graph and labels to replace")
    options = parser.parse_args()
    checkpoint = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    network = EfficientNetLite0(len(checkpoint["labels"]))
    network.load_state_dict(checkpoint["weights"])
    graph = options.release / "model.onnx"
    export(network, SERVED_SIZE, graph)
    labels = [asdict(split_label(name)) for name in checkpoint["labels"]]
    text = json.dumps(labels, indent=1, ensure_ascii=False)
    (options.release / "labels.json").write_text(f"{text}\n", encoding="utf-8")
    print(f"Wrote {graph} ({graph.stat().st_size / 1e6:.1f} MB).")


if __name__ == "__main__":
    main()
