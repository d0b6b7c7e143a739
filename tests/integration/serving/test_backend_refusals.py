"""What the Python-based onnxruntime backend cannot serve is refused at loading, with the reason in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tritonclient.utils import InferenceServerException

from tests.integration.serving import graphs

if TYPE_CHECKING:
    from tests.integration.serving.conftest import Models

GRAPH = graphs.twice_and_square()
CONFIG = """
backend: "onnxruntime"
max_batch_size: 8
input [ { name: "X" data_type: TYPE_FP32 dims: [ 4 ] } ]
output [ { name: "TWICE" data_type: TYPE_FP32 dims: [ 4 ] } ]
instance_group [ { count: 1 kind: KIND_CPU } ]
"""


def parameter(key: str, value: str) -> str:
    return f'{CONFIG} parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}'


def accelerator(place: str, name: str) -> str:
    return f'{CONFIG} optimization {{ execution_accelerators {{ {place} [ {{ name: "{name}" }} ] }} }}'


REFUSED_CONFIGURATIONS = {
    "an input that the graph lacks": (CONFIG.replace('"X"', '"V"'), "The graph has no input 'V'; it has X."),
    "an output that the graph lacks": (
        CONFIG.replace("TWICE", "HALF"),
        "The graph has no output 'HALF'; it has TWICE, SQUARE.",
    ),
    "another data type": (
        CONFIG.replace('"X" data_type: TYPE_FP32', '"X" data_type: TYPE_FP16'),
        "The input 'X' is TYPE_FP16 in the configuration and TYPE_FP32 in the graph.",
    ),
    "a data type that is not supported": (
        CONFIG.replace('"X" data_type: TYPE_FP32', '"X" data_type: TYPE_STRING'),
        "The input 'X' is TYPE_STRING, which this backend does not support.",
    ),
    "other dimensions of an input": (
        CONFIG.replace("dims: [ 4 ] } ]\noutput", "dims: [ 5 ] } ]\noutput"),
        "The input 'X' has the shape [-1, 5] in the configuration, the batch included, and [-1, 4] in the graph.",
    ),
    "a dynamic dimension where the graph's is fixed": (
        CONFIG.replace("dims: [ 4 ] } ]\noutput", "dims: [ -1 ] } ]\noutput"),
        "The input 'X' has the shape [-1, -1] in the configuration, the batch included, and [-1, 4] in the graph.",
    ),
    "more dimensions": (
        CONFIG.replace("dims: [ 4 ] } ]\noutput", "dims: [ 4, 1 ] } ]\noutput"),
        "The input 'X' has the shape [-1, 4, 1] in the configuration, the batch included, and [-1, 4] in the graph.",
    ),
    "other dimensions of an output": (
        CONFIG.replace("TYPE_FP32 dims: [ 4 ] } ]\ninstance", "TYPE_FP32 dims: [ 3 ] } ]\ninstance"),
        "The output 'TWICE' has the shape [-1, 3] in the configuration, the batch included, and [-1, 4] in the graph.",
    ),
    "a shape without batches": (
        CONFIG.replace("max_batch_size: 8", "max_batch_size: 0"),
        "The input 'X' has the shape [4] in the configuration, and [-1, 4] in the graph.",
    ),
    "ragged batches": (
        CONFIG.replace("dims: [ 4 ] } ]\noutput", "dims: [ 4 ] allow_ragged_batch: true } ]\noutput"),
        "This backend does not implement allow_ragged_batch of 'X'.",
    ),
    "optional inputs": (
        CONFIG.replace("dims: [ 4 ] } ]\noutput", "dims: [ 4 ] optional: true } ]\noutput"),
        "This backend does not implement optional of 'X'.",
    ),
    "sequences": (CONFIG + "sequence_batching {}", "This backend does not implement sequence_batching."),
    "several answers to a request": (
        CONFIG + "model_transaction_policy { decoupled: true }",
        "This backend does not implement model_transaction_policy.decoupled.",
    ),
    "inputs made by the server": (
        CONFIG
        + 'batch_input [ { kind: BATCH_ELEMENT_COUNT target_name: "X" data_type: TYPE_FP32 source_input: "X" } ]',
        "This backend does not implement batch_input.",
    ),
    "a parameter that nobody reads": (parameter("intra_op_threads", "2"), "Unknown parameters: intra_op_threads."),
    "threads that are no number": (
        parameter("intra_op_thread_count", "two"),
        "The parameter 'intra_op_thread_count' is 'two'; it must be a whole number, 0 for the default.",
    ),
    "an unknown execution mode": (
        parameter("execution_mode", "2"),
        "The parameter 'execution_mode' is '2'; it must be one of 0, 1.",
    ),
    "a flag that is none": (
        parameter("enable_mem_arena", "maybe"),
        "The parameter 'enable_mem_arena' is 'maybe'; it must be one of 0, false, 1, true.",
    ),
    "a session for several instances": (
        parameter("share_session_between_instances", "true"),
        "Instances are processes here and cannot share_session_between_instances; use one instance.",
    ),
    "an unknown accelerator": (
        accelerator("cpu_execution_accelerator", "dnnl"),
        "Unknown execution accelerator 'dnnl'; known are openvino.",
    ),
    "an accelerator that is not installed": (
        accelerator("cpu_execution_accelerator", "openvino"),
        "The configuration needs OpenVINOExecutionProvider; onnxruntime has",
    ),
    "a model file that is not there": (
        CONFIG + 'default_model_filename: "other.onnx"',
        "The model file 'other.onnx' is not in the version folder",
    ),
    "a GPU": (CONFIG.replace("KIND_CPU", "KIND_GPU"), "has kind KIND_GPU but no GPUs are available"),
}
REFUSED_GRAPHS = {
    "a missing file": (None, "The model file 'model.onnx' is not in the version folder"),
    "a truncated file": (GRAPH[:-20], "cannot load 'model.onnx'"),
    "an operator set from the future": (graphs.twice_and_square(opset=99), "cannot load 'model.onnx'"),
    "a fixed batch": (
        graphs.twice_and_square((1, 4)),
        "The input 'X' has the shape [1, 4] in the graph; with max_batch_size 8 its first dimension must be dynamic.",
    ),
    "a second input": (graphs.total(), "The graph needs inputs that the configuration does not name: Z."),
}


@pytest.mark.parametrize("configuration", REFUSED_CONFIGURATIONS)
def test_a_configuration_is_refused_with(configuration: str, models: Models) -> None:
    config, reason = REFUSED_CONFIGURATIONS[configuration]
    with pytest.raises(InferenceServerException) as refusal:
        models.load("refused", config, GRAPH)
    assert reason in refusal.value.message()


@pytest.mark.parametrize("file", REFUSED_GRAPHS)
def test_a_model_is_refused_with(file: str, models: Models) -> None:
    content, reason = REFUSED_GRAPHS[file]
    with pytest.raises(InferenceServerException) as refusal:
        models.load("refused", CONFIG, content)
    assert reason in refusal.value.message()
