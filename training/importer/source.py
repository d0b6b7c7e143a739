"""An ONNX file as exporters leave it → a checked model in memory that carries its external data inside."""

from __future__ import annotations

import itertools
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import DecodeError
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from training.importer.errors import InvalidModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_MODEL_BYTES = 1024**3  # with its external data; a protobuf file ends at 2 GiB, and a model is held several times
MIN_OPSET = 7  # the first that ONNX Runtime guarantees
MAX_OPSET = 28  # the last that the pinned ONNX Runtime loads; a test holds the two together


def read_model(path: Path, max_bytes: int = MAX_MODEL_BYTES) -> onnx.ModelProto:
    """Read, parse and check an ONNX file; raises `InvalidModelError` with what was found and what is expected."""
    model = _parse(path, max_bytes)
    if not model.graph.node:
        raise InvalidModelError(f"{path.name} is no ONNX model, or one without a single node.")
    opset = next((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), 0)
    if not MIN_OPSET <= opset <= MAX_OPSET:
        raise InvalidModelError(
            f"{path.name} uses opset {opset}; ONNX Runtime serves opsets {MIN_OPSET} to {MAX_OPSET}: export it again."
        )
    _embed_external_data(model, path, max_bytes)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise InvalidModelError(f"{path.name} does not pass the ONNX checker: {first_line(error)}") from error
    return model


def inner_graphs(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.GraphProto]:
    """The graphs inside nodes (the bodies of If, Loop and Scan), at any depth."""
    for node in nodes:
        for attribute in node.attribute:
            for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield graph
                yield from inner_graphs(graph.node)


def first_line(error: Exception) -> str:
    """What an error from native code says first; the lines after it are context for its developers."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _parse(path: Path, max_bytes: int) -> onnx.ModelProto:
    try:
        found = path.stat().st_size
        if found > max_bytes:
            raise InvalidModelError(_too_large(path.name, found, max_bytes))
        return onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise InvalidModelError(f"{path} cannot be read: {error.strerror}.") from error
    except DecodeError as error:
        raise InvalidModelError(f"{path.name} is no ONNX file, or it is cut off or damaged.") from error


def _embed_external_data(model: onnx.ModelProto, path: Path, max_bytes: int) -> None:
    """Move the data of `model.onnx.data` and the like into the model, whose sizes are checked before a byte is read."""
    external = [tensor for tensor in _tensors(model) if uses_external_data(tensor)]
    files = {_data_file(tensor, path) for tensor in external}
    total = path.stat().st_size + sum(file.stat().st_size for file in files)
    if total > max_bytes:
        raise InvalidModelError(_too_large(f"{path.name} with its external data", total, max_bytes))
    for tensor in external:
        try:
            load_external_data_for_tensor(tensor, str(path.parent.resolve()))
        except (onnx.checker.ValidationError, OSError, ValueError) as error:
            message = f"The external data of {tensor.name!r} in {path.name} cannot be read: {first_line(error)}"
            raise InvalidModelError(message) from error


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor that may have its data elsewhere: weights, constants, those of inner graphs and of functions."""
    bodies = [model.graph.node, *(function.node for function in model.functions)]
    graphs = [model.graph, *(graph for body in bodies for graph in inner_graphs(body))]
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in itertools.chain(*bodies, *(graph.node for graph in graphs[1:])):
        for attribute in node.attribute:
            yield from (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors)


def _data_file(tensor: onnx.TensorProto, model: Path) -> Path:
    """Where a tensor's external data are: a plain file beside the model or below it, whatever the model claims."""
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    posix, windows = PurePosixPath(location), PureWindowsPath(location)
    leaves = posix.is_absolute() or windows.is_absolute() or ".." in posix.parts or ".." in windows.parts
    file = model.parent / location
    if leaves or not location or not file.resolve().is_relative_to(model.parent.resolve()):
        raise InvalidModelError(
            f"{model.name} keeps the data of {tensor.name!r} in {location!r}; external data must lie in its own folder."
        )
    if file.is_symlink() or not file.is_file():
        raise InvalidModelError(
            f"{model.name} keeps the data of {tensor.name!r} in {location!r}, "
            "which is not a file in its folder: copy it there together with the model."
        )
    return file


def _too_large(name: str, found: int, limit: int) -> str:
    return f"{name} has {found / 1024**2:.0f} MiB; at most {limit / 1024**2:.0f} MiB can be served."
