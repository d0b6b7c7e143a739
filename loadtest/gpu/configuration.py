"""The configurations that are measured: the repository's own, for one provider, single settings changed for a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import json_format, text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

CPU, CUDA, TENSORRT = PROVIDERS = ("cpu", "cuda", "tensorrt")
DIAGNOSE = "diagnose"
CACHES = ("trt_engine_cache_path", "trt_timing_cache_path")


def _instances(config: Any, value: str) -> None:
    config.instance_group[0].count = int(value)


def _delay(config: Any, value: str) -> None:
    config.dynamic_batching.max_queue_delay_microseconds = int(value)


def _parameter(name: str) -> Callable[[Any, str], None]:
    def change(config: Any, value: str) -> None:
        config.parameters[name].string_value = value

    return change


SETTINGS: dict[str, Callable[[Any, str], None]] = {  # "classifier" stands for every release
    "classifier.instances": _instances,
    "classifier.delay_us": _delay,
    "classifier.cudnn_conv_algo_search": _parameter("cudnn_conv_algo_search"),
    "classifier.gpu_mem_limit": _parameter("gpu_mem_limit"),
    "diagnose.instances": _instances,
    "diagnose.delay_us": _delay,
    "diagnose.decode_threads": _parameter("decode_threads"),
}


def path(repository: Path, model: str, provider: str) -> Path:
    """The configuration that Triton reads: `configs/gpu.pbtxt` with --model-config-name=gpu."""
    return repository / model / ("config.pbtxt" if provider == CPU else "configs/gpu.pbtxt")


def read(file: Path) -> Any:
    return text_format.Parse(file.read_text(encoding="utf-8"), ModelConfig())


def adapt(repository: Path, models: list[str], provider: str, engines: Path, changes: Mapping[str, str]) -> None:
    """Write the configurations of these models and of `diagnose` as they are to be measured."""
    for model in [*models, DIAGNOSE]:
        file = path(repository, model, provider)
        config = read(file)
        if config.HasField("optimization"):  # to look into it would make one, and that would be another configuration
            _accelerate(config.optimization.execution_accelerators, provider, engines)
        for name, value in changes.items():
            if name.partition(".")[0] == (DIAGNOSE if model == DIAGNOSE else "classifier"):
                SETTINGS[name](config, value)
        file.write_text(text_format.MessageToString(config), encoding="utf-8")


def _accelerate(accelerators: Any, provider: str, engines: Path) -> None:
    if provider != TENSORRT:
        del accelerators.gpu_execution_accelerator[:]
    for accelerator in accelerators.gpu_execution_accelerator:
        accelerator.parameters.update(dict.fromkeys(CACHES, str(engines)))


def as_triton_gives_it(file: Path) -> dict[str, Any]:
    """As a dict, complete, in the form in which the backend gets it."""
    config: dict[str, Any] = json_format.MessageToDict(
        read(file), preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    config.setdefault("optimization", {})
    return config
