"""Which of onnxruntime's execution providers a `config.pbtxt` asks for, and their options."""

from __future__ import annotations

import onnxruntime as ort
from parameters import CUDA_PARAMETERS, Config, LoadError, choose, read_parameters

Options = dict[str, str]

PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
TENSORRT_KEYS = {  # Triton's name → onnxruntime's; keys that begin with trt_ are the same in both
    "max_workspace_size_bytes": "trt_max_workspace_size",
    "int8_calibration_table_name": "trt_int8_calibration_table_name",
    "int8_use_native_calibration_table": "trt_int8_use_native_calibration_table",
}
TENSORRT_PRECISIONS: dict[str, Options] = {
    "FP32": {},
    "FP16": {"trt_fp16_enable": "1"},
    "BF16": {"trt_bf16_enable": "1"},
    "INT8": {"trt_int8_enable": "1"},
}


def execution_providers(config: Config, kind: str, device: str) -> list[tuple[str, Options]]:
    """In order of preference, the CPU last; `kind` is CPU, GPU or MODEL, `device` the number of the instance's GPU.

    Accelerators for the GPU count only for instances that have one, as in the compiled backend.
    """
    accelerators = config["optimization"].get("execution_accelerators", {})
    wanted: dict[str, Options] = {}
    if kind == "GPU":
        for accelerator in accelerators.get("gpu_execution_accelerator", []):
            wanted |= _accelerator(accelerator, {"tensorrt", "cuda"}, {"device_id": device})
        cuda = wanted.pop(PROVIDERS["cuda"], {"device_id": device})  # after TensorRT, for what that cannot execute
        wanted[PROVIDERS["cuda"]] = cuda | cuda_options(config)
    for accelerator in accelerators.get("cpu_execution_accelerator", []):
        wanted |= _accelerator(accelerator, {"openvino"}, {"device_type": "CPU"})
    available = ort.get_available_providers()
    missing = [name for name in wanted if name not in available]
    if missing:
        raise LoadError(
            f"The configuration needs {' and '.join(missing)}; onnxruntime has {', '.join(available)} only."
        )
    return [*wanted.items(), ("CPUExecutionProvider", {})]


def _accelerator(accelerator: Config, known: set[str], defaults: Options) -> dict[str, Options]:
    name, parameters = accelerator["name"], dict(accelerator.get("parameters", {}))
    if name not in known:
        raise LoadError(f"Unknown execution accelerator '{name}'; known are {', '.join(sorted(known))}.")
    return {PROVIDERS[name]: defaults | (tensorrt_options(parameters) if name == "tensorrt" else parameters)}


def tensorrt_options(parameters: Options) -> Options:
    options = choose(parameters, "precision_mode", TENSORRT_PRECISIONS, "FP32").copy()
    for key, value in parameters.items():
        if key != "precision_mode":
            if key not in TENSORRT_KEYS and not key.startswith("trt_"):
                raise LoadError(f"Unknown parameter '{key}' of the execution accelerator 'tensorrt'.")
            options[TENSORRT_KEYS.get(key, key)] = value
    return options


def cuda_options(config: Config) -> Options:
    parameters = read_parameters(config)
    return {
        key: choose(parameters, key, choices, "") if choices else parameters[key]
        for key, choices in CUDA_PARAMETERS.items()
        if key in parameters
    }
