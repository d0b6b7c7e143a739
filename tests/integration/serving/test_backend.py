"""The Python-based onnxruntime backend serves what `config.pbtxt` and the graph say, a batch in one execution."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from tests.integration.serving import graphs
from tests.integration.serving.conftest import Count, count, stubs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.conftest import RunningTriton
    from tests.integration.serving.conftest import Models

CONFIG = """
backend: "onnxruntime"
max_batch_size: 64
input [ { name: "X" data_type: TYPE_FP32 dims: [ 4 ] } ]
output [ { name: "TWICE" data_type: TYPE_FP32 dims: [ 4 ] }, { name: "SQUARE" data_type: TYPE_FP32 dims: [ 4 ] } ]
instance_group [ { count: 1 kind: KIND_CPU } ]
"""
LOOK_UP = """
backend: "onnxruntime"
max_batch_size: 8
input [ { name: "INDEX" data_type: TYPE_INT64 dims: [ 1 ] } ]
output [ { name: "VALUE" data_type: TYPE_FP32 dims: [ 1 ] } ]
dynamic_batching { preferred_batch_size: [ 3 ] max_queue_delay_microseconds: 2000000 }
instance_group [ { count: 1 kind: KIND_CPU } ]
"""


def ask(client: Any, model: str, name: str, value: NDArray[Any], outputs: list[str] | None = None) -> Any:
    tensor = InferInput(name, list(value.shape), np_to_triton_dtype(value.dtype))
    tensor.set_data_from_numpy(value)
    return client.infer(model, [tensor], outputs=[InferRequestedOutput(output) for output in outputs or []])


def rows(count: int) -> NDArray[np.float32]:
    return np.arange(count * 4, dtype=np.float32).reshape(count, 4)


def test_every_row_of_a_full_batch_gets_its_own_result(client: Any, models: Models) -> None:
    models.load("rows", CONFIG, graphs.twice_and_square())
    answer = ask(client, "rows", "X", rows(64))
    np.testing.assert_array_equal(answer.as_numpy("TWICE"), rows(64) * 2)
    np.testing.assert_array_equal(answer.as_numpy("SQUARE"), rows(64) ** 2)


def test_only_the_outputs_that_were_asked_for_come_back(client: Any, models: Models) -> None:
    models.load("outputs", CONFIG, graphs.twice_and_square())
    answer = ask(client, "outputs", "X", rows(1), ["SQUARE"])
    assert [output.name for output in answer.get_response().outputs] == ["SQUARE"]


def test_requests_that_meet_in_the_queue_are_one_execution_and_each_gets_its_rows(client: Any, models: Models) -> None:
    models.load("look_up", LOOK_UP, graphs.look_up())
    values = ask_together(client, [0, 2, 1])
    assert [float(value.as_numpy("VALUE")[0, 0]) for value in values] == [10, 30, 20]
    assert count(client, "look_up", at_least=3) == Count(requests=3, executions=1)


def test_a_value_that_the_graph_refuses_fails_its_own_request_alone(client: Any, models: Models) -> None:
    models.load("look_up", LOOK_UP, graphs.look_up())
    good, bad, also_good = ask_together(client, [0, 7, 1])
    assert isinstance(bad, InferenceServerException)
    assert "indices element out of data bounds" in bad.message()
    assert [float(value.as_numpy("VALUE")[0, 0]) for value in (good, also_good)] == [10, 20]


def ask_together(client: Any, indices: list[int]) -> list[Any]:
    """Three requests fill the preferred batch, so that the queue lets them go as one."""

    def one(index: int) -> Any:
        try:
            return ask(client, "look_up", "INDEX", np.array([[index]]))
        except InferenceServerException as error:
            return error

    with ThreadPoolExecutor(len(indices)) as pool:
        return list(pool.map(one, indices))


def test_a_model_without_batches_is_served_request_by_request(client: Any, models: Models) -> None:
    models.load("single", CONFIG.replace("max_batch_size: 64", ""), graphs.twice_and_square((4,)))
    np.testing.assert_array_equal(ask(client, "single", "X", rows(1)[0]).as_numpy("TWICE"), rows(1)[0] * 2)


def test_a_dynamic_dimension_takes_any_size(client: Any, models: Models) -> None:
    models.load("dynamic", CONFIG.replace("[ 4 ]", "[ -1 ]"), graphs.twice_and_square(("N", "WIDTH")))
    for width in (1, 7):
        row = np.ones((2, width), dtype=np.float32)
        np.testing.assert_array_equal(ask(client, "dynamic", "X", row).as_numpy("TWICE"), row * 2)


def test_a_reshape_of_the_configuration_holds_towards_the_graph(client: Any, models: Models) -> None:
    reshaped = "dims: [ 2, 2 ] reshape: { shape: [ 4 ] }"
    models.load("reshaped", CONFIG.replace("dims: [ 4 ]", reshaped), graphs.twice_and_square())
    square = rows(3).reshape(3, 2, 2)
    np.testing.assert_array_equal(ask(client, "reshaped", "X", square).as_numpy("TWICE"), square * 2)


def test_the_model_file_can_have_another_name(client: Any, models: Models) -> None:
    config = CONFIG + 'default_model_filename: "double.onnx"'
    models.load("named", config, graphs.twice_and_square(), "double.onnx")
    assert client.is_model_ready("named")


def test_all_settings_of_the_compiled_backend_together_are_served(client: Any, models: Models) -> None:
    settings = {
        "intra_op_thread_count": "2",
        "inter_op_thread_count": "2",
        "execution_mode": "1",
        "enable_mem_arena": "1",
        "enable_mem_pattern": "0",
        "memory.enable_memory_arena_shrinkage": "cpu:0",
        "session.use_device_allocator_for_initializers": "1",
    }
    lines = [f'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}' for key, value in settings.items()]
    lines += ["optimization { graph { level: 1 } }", "version_policy { specific { versions: [ 1 ] } }"]
    models.load("settings", "\n".join([CONFIG, *lines]), graphs.twice_and_square())
    np.testing.assert_array_equal(ask(client, "settings", "X", rows(2)).as_numpy("TWICE"), rows(2) * 2)


def test_a_warm_up_that_the_graph_cannot_run_is_a_load_error_and_not_the_end_of_the_server(models: Models) -> None:
    value = "data_type: TYPE_INT64 dims: [ 1 ] zero_data: true"
    warm_up = f'model_warmup [ {{ name: "zero" batch_size: 1 inputs {{ key: "INDEX" value: {{ {value} }} }} }} ]'
    with pytest.raises(InferenceServerException, match=r"The warm-up 'zero' fails: .*out of data bounds"):
        models.load("look_up", LOOK_UP + warm_up, graphs.look_up(first=100))
    models.load("after", LOOK_UP + warm_up, graphs.look_up())


def test_a_session_has_as_many_threads_as_configured(models: Models, triton: RunningTriton) -> None:
    threads = {}
    for configured in (1, 5):
        setting = f'parameters {{ key: "intra_op_thread_count" value: {{ string_value: "{configured}" }} }}'
        folder = models.load(f"threads_{configured}", CONFIG + setting, graphs.twice_and_square())
        (stub,) = stubs(triton, folder)
        threads[configured] = len(list(Path(f"/proc/{stub}/task").iterdir()))
    assert threads[5] - threads[1] == 4


def test_each_instance_is_a_process(models: Models, triton: RunningTriton) -> None:
    folder = models.load("instances", CONFIG.replace("count: 1", "count: 2"), graphs.twice_and_square())
    assert len(stubs(triton, folder)) == 2


def test_a_killed_stub_is_replaced_when_the_touched_model_is_loaded_again(
    client: Any, models: Models, triton: RunningTriton
) -> None:
    """Triton itself never starts a stub again: this, or a restart, does."""
    folder = models.load("killed", CONFIG, graphs.twice_and_square())
    (stub,) = stubs(triton, folder)
    os.kill(stub, signal.SIGKILL)
    with pytest.raises(InferenceServerException, match="Stub process 'killed_0_0' is not healthy"):
        ask(client, "killed", "X", rows(1))
    assert client.is_model_ready("killed")  # which is why readiness says nothing about it
    (folder / "model.onnx").touch()
    client.load_model("killed")
    np.testing.assert_array_equal(ask(client, "killed", "X", rows(1)).as_numpy("TWICE"), rows(1) * 2)
