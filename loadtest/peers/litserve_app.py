"""LitServe, by its documentation: `python litserve_app.py PORT`."""

import sys
from typing import Any

import litserve
import numpy as np
from classifier import Classifier
from fastapi import Request
from numpy.typing import NDArray

WORKERS = 2


class LeafClassifier(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002  (there are only CPUs here)
        self._classifier = Classifier(threads=1)

    def decode_request(self, request: Request) -> NDArray[np.uint8]:
        return self._classifier.decode(request["image"].file.read())

    def predict(self, tensor: NDArray[np.uint8]) -> list[dict[str, Any]]:
        (predictions,) = self._classifier.predict([tensor])
        return predictions

    def encode_response(self, predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return predictions


if __name__ == "__main__":
    server = litserve.LitServer(LeafClassifier(api_path="/classify"), accelerator="cpu", workers_per_device=WORKERS)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
