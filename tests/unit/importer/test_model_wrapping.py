"""From a graph as exported to the graph that is served: the same logits, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper

from tests.unit.importer.graphs import CLASSES, SIZE, Tiny
from training.importer.errors import InvalidModelError
from training.importer.proof import prove
from training.importer.signature import read_signature
from training.importer.wrapping import IMAGENET, Normalisation, Wrapped, wrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

PHOTOS = np.random.default_rng(3).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)
HALF_RANGE = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Imported:
    wrapped: Wrapped
    classes: int

    def logits(self, photos: NDArray[np.uint8]) -> NDArray[np.float32]:
        session = onnxruntime.InferenceSession(self.wrapped.model.SerializeToString())
        (image,), (logits,) = session.get_inputs(), session.get_outputs()
        assert (image.name, image.type, image.shape[1:]) == ("IMAGE", "tensor(uint8)", [SIZE, SIZE, 3])
        assert (logits.name, logits.type) == ("LOGITS", "tensor(float)")
        answer: NDArray[np.float32] = session.run(None, {"IMAGE": photos})[0]
        return answer


def imported(model: ModelProto, normalisation: Normalisation = IMAGENET, output: str | None = None) -> Imported:
    signature = read_signature(model, SIZE, output)
    wrapped = wrap(model, signature, SIZE, normalisation)
    return Imported(wrapped, prove(model, wrapped, signature, SIZE, normalisation))


def reference(normalisation: Normalisation = IMAGENET) -> NDArray[Any]:
    """The logits of the plain float graph, normalised by hand."""
    session = onnxruntime.InferenceSession(Tiny().build().SerializeToString())
    mean, std = np.array(normalisation.mean), np.array(normalisation.std)
    value = ((PHOTOS / 255.0 - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    answer: NDArray[Any] = session.run(None, {"input": value})[0]
    return answer


def refusal(model: ModelProto, output: str | None = None) -> str:
    with pytest.raises(InvalidModelError) as caught:
        imported(model, output=output)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "tiny",
    [
        pytest.param(Tiny(), id="float32 NCHW, dynamic batch"),
        pytest.param(Tiny(layout="NHWC"), id="float32 NHWC"),
        pytest.param(Tiny(batch=1), id="batch fixed at 1"),
        pytest.param(Tiny(batch=1, flatten="Reshape"), id="batch fixed at 1 in a reshape too"),
        pytest.param(Tiny(batch=4), id="batch fixed at 4"),
        pytest.param(Tiny(shape=(3, "height", "width")), id="dynamic height and width"),
        pytest.param(Tiny(opset=7), id="oldest opset"),
        pytest.param(Tiny(opset=9, ir_version=3), id="weights listed as inputs"),
        pytest.param(Tiny(input_name="IMAGE", output_name="LOGITS"), id="names already as served"),
        pytest.param(Tiny(input_name="LOGITS", output_name="IMAGE"), id="names the other way round"),
        pytest.param(Tiny(ending=["Softmax"]), id="softmax at the end"),
        pytest.param(Tiny(ending=["LogSoftmax", "Identity"]), id="log-softmax at the end"),
    ],
)
def test_a_float_model_answers_photos_as_it_answers_normalised_floats(tiny: Tiny) -> None:
    found = imported(tiny.build())
    assert found.classes == CLASSES
    np.testing.assert_allclose(found.logits(PHOTOS), reference(), rtol=1e-4, atol=1e-5)


def test_a_half_precision_model_answers_nearly_the_same() -> None:
    found = imported(Tiny(element_type=TensorProto.FLOAT16).build())
    np.testing.assert_allclose(found.logits(PHOTOS), reference(), atol=0.02)


def test_the_chosen_normalisation_is_the_one_in_the_graph() -> None:
    found = imported(Tiny().build(), HALF_RANGE)
    np.testing.assert_allclose(found.logits(PHOTOS), reference(HALF_RANGE), rtol=1e-4, atol=1e-5)
    assert not np.allclose(found.logits(PHOTOS), reference(IMAGENET), atol=0.01)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_uint8_model_gets_the_photo_as_it_is(layout: str) -> None:
    model = Tiny(element_type=TensorProto.UINT8, layout=layout).build()
    photos = PHOTOS.transpose(0, 3, 1, 2) if layout == "NCHW" else PHOTOS
    session = onnxruntime.InferenceSession(model.SerializeToString())
    expected = session.run(None, {"input": np.ascontiguousarray(photos)})[0]
    np.testing.assert_allclose(imported(model).logits(PHOTOS), expected, rtol=1e-5)


def test_a_model_that_is_served_already_stays_as_it_is() -> None:
    once = imported(Tiny().build()).wrapped.model
    twice = imported(once).wrapped
    assert twice.changes == ()
    assert [node.op_type for node in twice.model.graph.node] == [node.op_type for node in once.graph.node]


def test_the_original_is_not_touched() -> None:
    model = Tiny(batch=1, flatten="Reshape", ending=["Softmax"]).build()
    before = model.SerializeToString(deterministic=True)
    imported(model)
    assert model.SerializeToString(deterministic=True) == before


def test_a_tensor_of_the_original_may_be_called_as_the_served_input() -> None:
    model = Tiny().build()
    for node in model.graph.node:
        node.input[:] = ["IMAGE" if name == "flat" else name for name in node.input]
        node.output[:] = ["IMAGE" if name == "flat" else name for name in node.output]
    np.testing.assert_allclose(imported(model).logits(PHOTOS), reference(), rtol=1e-4, atol=1e-5)


def test_weights_that_nothing_reads_are_left_out() -> None:
    model = imported(Tiny(batch=1, flatten="Reshape").build()).wrapped.model
    read = {name for node in model.graph.node for name in node.input}
    assert {weight.name for weight in model.graph.initializer} <= read


def test_a_softmax_is_removed_and_said_so() -> None:
    wrapped = imported(Tiny(ending=["Softmax"]).build()).wrapped
    assert "Softmax" not in {node.op_type for node in wrapped.model.graph.node}
    assert any("the logits before it are taken" in change for change in wrapped.changes)


def test_the_output_with_the_logits_can_be_named() -> None:
    model = Tiny().build()
    model.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["batch", 16]))
    assert "2 outputs ('output', 'flat'); name the one with the logits by --output" in refusal(model)
    np.testing.assert_allclose(imported(model, output="output").logits(PHOTOS), reference(), rtol=1e-4, atol=1e-5)
    assert "no output 'nothing'" in refusal(model, output="nothing")


@pytest.mark.parametrize(
    ("tiny", "reason"),
    [
        (Tiny(shape=(3, 48, 48)), "is 48 by 48 pixels, but --size says 32"),
        (Tiny(shape=(3, SIZE, 48)), "is 32 by 48 pixels"),
        (Tiny(shape=(1, SIZE, SIZE)), "has shape [?, 1, 32, 32]; expected [N, 3, H, W] or [N, H, W, 3]"),
        (Tiny(shape=(3, SIZE)), "expected [N, 3, H, W]"),
        (Tiny(element_type=TensorProto.INT64), "is int64; expected uint8 (0 to 255), or float32 or float16"),
        (Tiny(flatten="Reshape"), "cannot run three images at once: export it with a dynamic batch"),
        (Tiny(ending=["Sigmoid"]), "ends in Sigmoid"),
    ],
)
def test_a_graph_that_cannot_be_served_is_refused_with_the_reason(tiny: Tiny, reason: str) -> None:
    assert reason in refusal(tiny.build())


def test_a_second_input_is_refused() -> None:
    model = Tiny().build()
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch"]))
    assert "2 inputs ('input', 'mask'); expected one" in refusal(model)


def test_an_output_of_another_rank_is_refused() -> None:
    model = Tiny().build()
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("c", TensorProto.FLOAT, ["batch", 16, 8, 8]))
    assert "has shape [?, 16, 8, 8]; expected [N, classes]" in refusal(model)


def test_an_output_that_turns_out_to_have_another_rank_is_refused() -> None:
    model = Tiny().build()
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("c", TensorProto.FLOAT, None))
    assert "answers 1 images with shape [1, 16, 8, 8]; expected [1, classes]" in refusal(model)


def closed_with(*nodes: Any, weights: dict[str, Any] | None = None) -> ModelProto:
    """The tiny model with nodes from "output" to "closed"."""
    model = Tiny().build()
    model.graph.node.extend(nodes)
    for name, value in (weights or {}).items():
        model.graph.initializer.append(helper.make_tensor(name, TensorProto.FLOAT, value.shape, value))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("closed", TensorProto.FLOAT, ["batch", CLASSES]))
    return model


def test_a_model_that_mixes_the_images_of_a_batch_is_refused() -> None:
    model = closed_with(
        helper.make_node("ReduceMean", ["output"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Mul", ["mean", "half"], ["part"]),
        helper.make_node("Sub", ["output", "part"], ["closed"]),
        weights={"half": np.full(1, 0.5, np.float32)},
    )
    assert "otherwise for three images together than for each alone" in refusal(model)


def test_probabilities_without_a_softmax_operator_are_recognised() -> None:
    exp = helper.make_node("Exp", ["output"], ["exp"])
    total = helper.make_node("ReduceL1", ["exp"], ["total"], axes=[1], keepdims=1)
    assert "gives probabilities" in refusal(
        closed_with(exp, total, helper.make_node("Div", ["exp", "total"], ["closed"]))
    )


def test_logits_that_overflow_are_refused() -> None:
    huge = {"huge": np.full(1, 3e38, np.float32)}
    model = closed_with(helper.make_node("Mul", ["output", "huge"], ["closed"]), weights=huge)
    assert "not finite" in refusal(model)


def test_a_model_that_looks_at_nothing_is_refused() -> None:
    zero = {"zero": np.zeros(1, np.float32)}
    model = closed_with(helper.make_node("Mul", ["output", "zero"], ["closed"]), weights=zero)
    assert "three different images alike" in refusal(model)
