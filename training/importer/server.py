"""The running Triton as releases need it: load, unload, ask for readiness, and try a diagnosis with one photo."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from training.importer.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBE_SECONDS = 2.0
LOAD_SECONDS = 900.0  # a TensorRT engine that is not cached yet takes minutes
DIAGNOSE_SECONDS = 20.0
LEAF_GREEN = (74, 112, 52)


class Server:
    """Triton's gRPC endpoint, host:port; `control` is the metadata that it wants of those who load and unload."""

    def __init__(self, address: str, control: Mapping[str, str] | None = None) -> None:
        self.address = address
        self._control = dict(control or {})
        self._client = InferenceServerClient(address)

    def is_live(self) -> bool:
        try:
            return bool(self._client.is_server_live(client_timeout=PROBE_SECONDS))
        except InferenceServerException:
            return False

    def is_ready(self, model: str) -> bool:
        try:
            return bool(self._client.is_model_ready(model, client_timeout=PROBE_SECONDS))
        except InferenceServerException:
            return False

    def load(self, model: str) -> None:
        """Load a model of the repository and return when it is ready; raises `ServerError` with Triton's reason."""
        try:
            self._client.load_model(model, self._control, client_timeout=LOAD_SECONDS)
        except InferenceServerException as error:
            raise ServerError(f"Triton did not load {model}: {_reason(error)}") from error
        if not self.is_ready(model):
            raise ServerError(f"Triton loaded {model}, but does not report it ready.")

    def unload(self, model: str) -> None:
        """Let requests in flight end, then free the model; one that was not loaded is no error."""
        try:
            self._client.unload_model(model, self._control, client_timeout=LOAD_SECONDS)
        except InferenceServerException as error:
            raise ServerError(f"Triton did not unload {model}: {_reason(error)}") from error

    def try_diagnosis(self, version: str) -> None:
        """Send one photo through `diagnose` to a release; raises `ServerError` unless that release answers."""
        photo = np.array([[_photo()]], dtype=np.object_)
        images = InferInput("IMAGES", list(photo.shape), "BYTES")
        images.set_data_from_numpy(photo)
        try:
            answer = self._client.infer(
                "diagnose", [images], parameters={"version": version}, client_timeout=DIAGNOSE_SECONDS
            )
            diagnosis: dict[str, Any] = json.loads(answer.as_numpy("DIAGNOSIS")[0, 0])
        except InferenceServerException as error:
            raise ServerError(f"A trial diagnosis by release {version} failed: {_reason(error)}") from error
        answered = diagnosis["model"]["version"]
        if answered != version or not diagnosis["predictions"]:
            raise ServerError(f"A trial diagnosis by release {version} came from {answered}: {diagnosis}")


def _reason(error: InferenceServerException) -> str:
    """Triton's own words, without the stack trace that a Python backend adds."""
    return str(error.message()).partition("\n")[0]


def _photo() -> bytes:
    encoded = io.BytesIO()
    Image.new("RGB", (64, 64), LEAF_GREEN).save(encoded, "JPEG")
    return encoded.getvalue()
