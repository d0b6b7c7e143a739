"""The configurations that are measured are the shipped ones, changed in what was asked for and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from loadtest.gpu import configuration

ROOT = Path(__file__).parents[3]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "model_repository"
    shutil.copytree(ROOT / "model_repository", folder, ignore=shutil.ignore_patterns("*.onnx", "__pycache__"))
    return folder


def adapted(repository: Path, model: str, provider: str, **settings: str) -> object:
    changes = {name.replace("__", "."): value for name, value in settings.items()}
    configuration.adapt(repository, ["classifier"], provider, Path("/engines"), changes)
    return configuration.read(configuration.path(repository, model, provider))


def test_for_tensorrt_only_the_place_of_its_engines_changes(repository: Path) -> None:
    shipped = configuration.read(repository / "classifier" / "configs" / "gpu.pbtxt")
    parameters = shipped.optimization.execution_accelerators.gpu_execution_accelerator[0].parameters
    for name in configuration.CACHES:
        parameters[name] = "/engines"
    assert adapted(repository, "classifier", "tensorrt") == shipped


def test_for_cuda_alone_tensorrt_goes_and_the_rest_stays(repository: Path) -> None:
    shipped = configuration.read(repository / "classifier" / "configs" / "gpu.pbtxt")
    del shipped.optimization.execution_accelerators.gpu_execution_accelerator[:]
    assert adapted(repository, "classifier", "cuda") == shipped


def test_on_the_cpu_the_shipped_configuration_is_measured(repository: Path) -> None:
    shipped = configuration.read(repository / "classifier" / "config.pbtxt")
    assert adapted(repository, "classifier", "cpu") == shipped


def test_a_setting_of_the_classifier_leaves_diagnose_alone(repository: Path) -> None:
    before = configuration.read(repository / "diagnose" / "configs" / "gpu.pbtxt")
    assert adapted(repository, "diagnose", "cuda", classifier__instances="7", classifier__delay_us="9") == before
    changed = configuration.read(repository / "classifier" / "configs" / "gpu.pbtxt")
    assert changed.instance_group[0].count == 7
    assert changed.dynamic_batching.max_queue_delay_microseconds == 9


def test_every_setting_can_be_changed(repository: Path) -> None:
    changes = {name.replace(".", "__"): "3" for name in configuration.SETTINGS}
    adapted(repository, "diagnose", "cuda", **changes)
    diagnose, classifier = (
        configuration.read(repository / model / "configs" / "gpu.pbtxt") for model in ("diagnose", "classifier")
    )
    assert diagnose.parameters["decode_threads"].string_value == "3"
    assert classifier.parameters["cudnn_conv_algo_search"].string_value == "3"


def test_the_backend_gets_the_same_keys_from_a_file_as_from_triton(repository: Path) -> None:
    read = configuration.as_triton_gives_it(repository / "classifier" / "configs" / "gpu.pbtxt")
    assert read["parameters"]["gpu_mem_limit"] == {"string_value": "2147483648"}
    assert read["instance_group"][0]["count"] == 2
    assert read["default_model_filename"] == ""
    (accelerator,) = read["optimization"]["execution_accelerators"]["gpu_execution_accelerator"]
    assert accelerator["parameters"]["precision_mode"] == "FP16"
