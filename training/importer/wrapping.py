"""Any classifier's graph → the form that is served: IMAGE uint8 [N, size, size, 3] in, LOGITS float32 [N, C] out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from training.importer.errors import InvalidModelError
from training.importer.source import inner_graphs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.importer.signature import Signature

INPUT, OUTPUT = "IMAGE", "LOGITS"
BATCH = "batch"
MIN_IR_VERSION = 4  # from here on weights need not be listed as inputs
PROBABILITY_OPERATORS = frozenset({"Softmax", "LogSoftmax"})
MULTI_LABEL_OPERATORS = frozenset({"Sigmoid", "HardSigmoid"})
TRANSPARENT_OPERATORS = frozenset({"Identity", "Cast"})


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What a float model expects: (pixel / 255 - mean) / std for each of red, green and blue."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Normalise uint8 [..., 3] in double precision: what the graph's own arithmetic is held against."""
        normalised: NDArray[np.float32] = ((images / 255 - self.mean) / self.std).astype(np.float32)
        return normalised


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True, slots=True)
class Wrapped:
    """The graph as it is served, the softmax that was taken off its end, and what was changed in words."""

    model: ModelProto
    closing: str | None
    changes: tuple[str, ...]


def wrap(original: ModelProto, signature: Signature, size: int, normalisation: Normalisation) -> Wrapped:
    """Wrap a model whose signature was read; whether the result computes the same is for `proof.prove` to say."""
    model = ModelProto()
    model.CopyFrom(original)
    model.ir_version = max(model.ir_version, MIN_IR_VERSION)
    graph = model.graph
    source, target = signature.input_name, signature.output_name
    changes = []
    logits, closing = _before_probabilities(graph, target)
    if closing is not None:
        changes.append(f"the output {target!r} is a {closing}; the logits before it are taken")
    if signature.batch is not None:
        _free_reshapes(graph, source, signature.batch)
        changes.append(f"the batch, fixed at {signature.batch}, is made dynamic")
    taken = {INPUT: f"original/{INPUT}", OUTPUT: f"original/{OUTPUT}"}
    for name, other in taken.items():
        _rename(graph, name, other)
    if _attach_input(graph, taken.get(source, source), signature, normalisation):
        floats = signature.input_type != TensorProto.UINT8
        changes.append(f"{'normalisation and layout are' if floats else 'the layout is'} put into the graph")
    _attach_output(graph, taken.get(logits, logits), signature.output_type)
    _declare(graph, size)
    _drop_unused_weights(graph)
    return Wrapped(model, closing, tuple(changes))


def _before_probabilities(graph: GraphProto, output: str) -> tuple[str, str | None]:
    """The tensor that a closing softmax is taken of, and which softmax that was; it is removed from the graph."""
    producers = {name: node for node in graph.node for name in node.output}
    tensor, closing = output, []
    while (node := producers.get(tensor)) is not None and node.op_type in TRANSPARENT_OPERATORS:
        closing.append(node)
        tensor = node.input[0]
    if node is not None and node.op_type in MULTI_LABEL_OPERATORS:
        raise InvalidModelError(
            f"The model ends in {node.op_type}, so its classes do not exclude each other; "
            "expected a classifier trained with cross-entropy, one label a photo."
        )
    if node is None or node.op_type not in PROBABILITY_OPERATORS:
        return output, None
    closing.append(node)
    if not {node.output[0] for node in closing} & _read_elsewhere(graph, closing):
        for done in closing:
            graph.node.remove(done)
    return node.input[0], node.op_type


def _read_elsewhere(graph: GraphProto, apart_from: list[NodeProto]) -> set[str]:
    inner = {name for body in inner_graphs(graph.node) for node in body.node for name in node.input}
    return inner | {name for node in graph.node if node not in apart_from for name in node.input}


def _free_reshapes(graph: GraphProto, image: str, batch: int) -> None:
    """Let reshapes of features to a constant [batch, …] copy the batch of their input (0 means that to ONNX)."""
    constants = _constants(graph)
    features = {image}
    for node in graph.node:  # in topological order, as ONNX demands
        if features.isdisjoint(node.input):
            continue
        features.update(node.output)
        takes_zero_literally = any(attribute.name == "allowzero" and attribute.i for attribute in node.attribute)
        if node.op_type != "Reshape" or takes_zero_literally or node.input[1] not in constants:
            continue
        shape = numpy_helper.to_array(constants[node.input[1]])
        if len(shape) > 1 and shape[0] == batch:
            node.input[1] = f"{INPUT}/reshape/{node.output[0]}"  # of its own: others may read the constant as it is
            graph.initializer.append(numpy_helper.from_array(np.array([0, *shape[1:]], np.int64), node.input[1]))


def _constants(graph: GraphProto) -> dict[str, TensorProto]:
    nodes = {
        node.output[0]: attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    return nodes | {tensor.name: tensor for tensor in graph.initializer}


def _attach_input(graph: GraphProto, name: str, signature: Signature, normalisation: Normalisation) -> bool:
    """Feed `name` from IMAGE; says whether anything lies between."""
    if signature.input_type == TensorProto.UINT8 and signature.layout == "NHWC":
        _rename(graph, name, INPUT)
        return False
    nodes: list[NodeProto] = []
    if signature.input_type != TensorProto.UINT8:  # first: TensorRT takes uint8 into no other operator
        nodes.append(helper.make_node("Cast", ["?"], ["?"], to=TensorProto.FLOAT))
    if signature.layout == "NCHW":
        nodes.append(helper.make_node("Transpose", ["?"], ["?"], perm=[0, 3, 1, 2]))
    if signature.input_type != TensorProto.UINT8:
        nodes += _normalising(graph, normalisation, (3, 1, 1) if signature.layout == "NCHW" else (3,))
    if signature.input_type == TensorProto.FLOAT16:
        nodes.append(helper.make_node("Cast", ["?"], ["?"], to=TensorProto.FLOAT16))
    tensors = [INPUT, *(f"{INPUT}/{index}" for index in range(1, len(nodes))), name]
    for node, before, after in zip(nodes, tensors, tensors[1:], strict=False):
        node.input[0], node.output[0] = before, after
        node.name = after
    behind = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *behind])
    return True


def _normalising(graph: GraphProto, normalisation: Normalisation, shape: tuple[int, ...]) -> list[NodeProto]:
    """One multiplication and one addition, their constants shaped to meet the channels."""
    mean, std = np.array(normalisation.mean), np.array(normalisation.std)
    scale, shift = f"{INPUT}/scale", f"{INPUT}/shift"
    for name, values in ((scale, 1 / (255 * std)), (shift, -mean / std)):
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float32).reshape(shape), name))
    return [helper.make_node("Mul", ["?", scale], ["?"]), helper.make_node("Add", ["?", shift], ["?"])]


def _attach_output(graph: GraphProto, name: str, element_type: int) -> None:
    if element_type == TensorProto.FLOAT:
        _rename(graph, name, OUTPUT)
    else:
        graph.node.append(helper.make_node("Cast", [name], [OUTPUT], to=TensorProto.FLOAT, name=f"{OUTPUT}/Cast"))


def _declare(graph: GraphProto, size: int) -> None:
    """State input and output; drop what was inferred for other shapes."""
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.UINT8, [BATCH, size, size, 3]))
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [BATCH, "classes"]))


def _drop_unused_weights(graph: GraphProto) -> None:
    """What only a rewritten reshape read, and what the exporter left over: ONNX Runtime warns of it at every load."""
    used = _read_elsewhere(graph, [])
    for weight in [weight for weight in graph.initializer if weight.name not in used]:
        graph.initializer.remove(weight)


def _rename(graph: GraphProto, old: str, new: str) -> None:
    """Rename a tensor wherever the graph or one inside it names it."""
    if old == new:
        return
    for body in (graph, *inner_graphs(graph.node)):
        for node in body.node:
            node.input[:] = [new if name == old else name for name in node.input]
            node.output[:] = [new if name == old else name for name in node.output]
        for entry in (*body.input, *body.output, *body.initializer, *body.value_info):
            if entry.name == old:
                entry.name = new
