"""What a classifier's graph takes and gives, and whether that can be served as photos in, logits out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

from training.importer.errors import InvalidModelError

if TYPE_CHECKING:
    from collections.abc import Iterable

CHANNELS = 3
INPUT_TYPES = (TensorProto.UINT8, TensorProto.FLOAT, TensorProto.FLOAT16)
OUTPUT_TYPES = (TensorProto.FLOAT, TensorProto.FLOAT16)

Layout = Literal["NCHW", "NHWC"]


@dataclass(frozen=True, slots=True)
class Signature:
    """A classifier's input and output; the types are ONNX's element types, `batch` is None where it is dynamic."""

    input_name: str
    input_type: int
    layout: Layout
    batch: int | None
    output_name: str
    output_type: int


def read_signature(model: ModelProto, size: int, output: str | None = None) -> Signature:
    """Find the image input and the output [N, classes]; raises `InvalidModelError` for any other graph.

    `size`: height and width in pixels that the input must have or accept. `output`: which output, where there are
    several.
    """
    image = _only_input(model.graph)
    input_type = image.type.tensor_type.elem_type
    if input_type not in INPUT_TYPES:
        found = _type_name(image)
        raise InvalidModelError(
            f"The input {image.name!r} is {found}; expected uint8 (0 to 255), or float32 or float16 (normalised)."
        )
    shape = _shape(image)
    layout = _layout(image.name, shape)
    spatial = shape[2:] if layout == "NCHW" else shape[1:3]
    if any(side is not None and side != size for side in spatial):
        found = " by ".join("any" if side is None else str(side) for side in spatial)
        raise InvalidModelError(f"The input {image.name!r} is {found} pixels, but --size says {size}.")
    logits = _output(model.graph, output)
    return Signature(image.name, input_type, layout, shape[0], logits.name, logits.type.tensor_type.elem_type)


def _only_input(graph: GraphProto) -> ValueInfoProto:
    weights = {tensor.name for tensor in graph.initializer}  # older exporters list them as inputs too
    inputs = [entry for entry in graph.input if entry.name not in weights]
    if len(inputs) != 1:
        raise InvalidModelError(f"The model has {len(inputs)} inputs ({_names(inputs)}); expected one, the image.")
    if not inputs[0].type.tensor_type.HasField("shape"):
        raise InvalidModelError(f"The input {inputs[0].name!r} has no shape; expected [N, 3, H, W] or [N, H, W, 3].")
    image: ValueInfoProto = inputs[0]
    return image


def _layout(name: str, shape: list[int | None]) -> Layout:
    if len(shape) == 4 and shape[1] == CHANNELS:
        return "NCHW"
    if len(shape) == 4 and shape[3] == CHANNELS:
        return "NHWC"
    raise InvalidModelError(f"The input {name!r} has shape {_describe(shape)}; expected [N, 3, H, W] or [N, H, W, 3].")


def _output(graph: GraphProto, wanted: str | None) -> ValueInfoProto:
    outputs = {entry.name: entry for entry in graph.output}
    if wanted is None and len(outputs) != 1:
        raise InvalidModelError(
            f"The model has {len(outputs)} outputs ({_names(graph.output)}); name the one with the logits by --output."
        )
    if wanted is not None and wanted not in outputs:
        raise InvalidModelError(f"The model has no output {wanted!r}; its outputs are {_names(graph.output)}.")
    output: ValueInfoProto = outputs[wanted] if wanted is not None else graph.output[0]
    if output.type.tensor_type.elem_type not in OUTPUT_TYPES:
        raise InvalidModelError(f"The output {output.name!r} is {_type_name(output)}; expected float32 or float16.")
    if output.type.tensor_type.HasField("shape") and len(shape := _shape(output)) != 2:
        raise InvalidModelError(f"The output {output.name!r} has shape {_describe(shape)}; expected [N, classes].")
    return output


def _shape(entry: ValueInfoProto) -> list[int | None]:
    """Fixed sides as numbers, dynamic ones as None (exporters also write those as 0 or -1)."""
    return [
        side.dim_value if side.WhichOneof("value") == "dim_value" and side.dim_value > 0 else None
        for side in entry.type.tensor_type.shape.dim
    ]


def _describe(shape: list[int | None]) -> str:
    return f"[{', '.join('?' if side is None else str(side) for side in shape)}]"


def _type_name(entry: ValueInfoProto) -> str:
    kind = entry.type.tensor_type.elem_type
    return TensorProto.DataType.Name(kind).lower() if kind else "no tensor"


def _names(entries: Iterable[ValueInfoProto]) -> str:
    return ", ".join(repr(entry.name) for entry in entries) or "none"
