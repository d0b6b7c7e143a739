"""Rehearses a model's warm-ups: one that fails is a load error here, and in Triton (24.10) the end of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import triton_python_backend_utils as pb_utils
from parameters import Config, LoadError

if TYPE_CHECKING:
    import onnxruntime as ort


def rehearse(session: ort.InferenceSession, config: Config) -> None:
    """With zeros for whatever the warm-up would send."""
    reshaped = {tensor["name"]: tensor["reshape"]["shape"] for tensor in config["input"] if "reshape" in tensor}
    for sample in config.get("model_warmup", []):
        batch = [sample["batch_size"]] if config["max_batch_size"] else []
        zeros = {}
        for name, value in sample["inputs"].items():
            shape = [*batch, *map(int, reshaped.get(name, value["dims"]))]
            zeros[name] = np.zeros(shape, pb_utils.triton_string_to_numpy(value["data_type"]))
        try:
            session.run(None, zeros)
        except Exception as error:
            raise LoadError(f"The warm-up '{sample['name']}' fails: {error}") from error
