"""Triton's own way to serve a photo, by its BLS example: decode, call the classifier, request by request."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from PIL import Image, ImageOps

TOP_K = 5


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        folder = Path(args["model_repository"], args["model_version"])
        labels, calibration, preprocess = (
            json.loads((folder / name).read_text(encoding="utf-8"))
            for name in ("labels.json", "calibration.json", "preprocess.json")
        )
        self._labels = [entry["label"] for entry in labels]
        self._temperature = calibration["temperature"]
        self._size = (preprocess["size"], preprocess["size"])

    def execute(self, requests: list[Any]) -> list[Any]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        photo = pb_utils.get_input_tensor_by_name(request, "IMAGE").as_numpy()[0]
        image: Image.Image = Image.open(io.BytesIO(photo))
        if image.mode != "RGB":
            image = image.convert("RGB")
        tensor = np.asarray(ImageOps.fit(image, self._size, Image.Resampling.BICUBIC))
        response = pb_utils.InferenceRequest(
            model_name="classifier",
            inputs=[pb_utils.Tensor("IMAGE", tensor[None])],
            requested_output_names=["LOGITS"],
        ).exec()
        if response.has_error():
            raise pb_utils.TritonModelException(response.error().message())
        logits = pb_utils.get_output_tensor_by_name(response, "LOGITS").as_numpy()[0]
        text = json.dumps(self._first(logits)).encode()
        return pb_utils.InferenceResponse([pb_utils.Tensor("PREDICTIONS", np.array([text], dtype=np.object_))])

    def _first(self, logits: Any) -> list[dict[str, Any]]:
        scaled = logits.astype(np.float64) / self._temperature
        weights = np.exp(scaled - scaled.max())
        probabilities = weights / weights.sum()
        order = np.argsort(-probabilities)[:TOP_K]
        return [{"label": self._labels[index], "confidence": float(probabilities[index])} for index in order]
