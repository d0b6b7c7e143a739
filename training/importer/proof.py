"""A wrapped graph held against the original by running both: the same logits, one photo at a time or three."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from onnx import TensorProto

from training.importer.errors import InvalidModelError
from training.importer.source import first_line
from training.importer.wrapping import INPUT, OUTPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    from training.importer.signature import Signature
    from training.importer.wrapping import Normalisation, Wrapped

SEED = 11
IMAGES = 3
# Of the largest value. Kernels sum in another order for another batch (1e-6 or so); half precision keeps 3 digits.
TOLERANCE, HALF_PRECISION_TOLERANCE = 1e-3, 2e-2


def prove(original: ModelProto, wrapped: Wrapped, signature: Signature, size: int, normalisation: Normalisation) -> int:
    """Run both graphs on random images and return the number of classes.

    Raises `InvalidModelError` when a graph does not run, when the wrapped one cannot take several images or lets them
    touch each other, differs from the original, answers every image alike, overflows, or gives probabilities.
    """
    images = _random_images(size)
    session = _session(wrapped.model)
    alone = np.concatenate([_run(session, OUTPUT, INPUT, image[None]) for image in images])
    _check_logits(alone)
    tolerance = HALF_PRECISION_TOLERANCE if TensorProto.FLOAT16 in _types(signature) else TOLERANCE
    if not _are_close(alone, _together(session, images, signature), tolerance):
        raise InvalidModelError(
            "The model answers otherwise for three images together than for each alone; expected images of a batch "
            "not to touch each other: export it in inference mode, with a dynamic batch."
        )
    expected = _original_answers(_session(original), signature, images, normalisation)
    if not _are_close(_closed(alone, wrapped.closing), expected, tolerance):
        raise InvalidModelError("The wrapped graph does not answer as the original does; this model cannot be wrapped.")
    return int(alone.shape[1])


def _random_images(size: int) -> NDArray[np.uint8]:
    """Three images of noise, from dark to bright."""
    noise = np.random.default_rng(SEED).random((IMAGES, size, size, 3))
    brightness = np.linspace(0.3, 1, IMAGES).reshape(IMAGES, 1, 1, 1)
    return (noise * brightness * 255).astype(np.uint8)


def _session(model: ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong comes as an exception; warnings about style help nobody here
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen types without a common base
        raise InvalidModelError(f"ONNX Runtime cannot load the model: {first_line(error)}") from error


def _run(session: onnxruntime.InferenceSession, output: str, name: str, value: NDArray[Any]) -> NDArray[np.float64]:
    try:
        (answer,) = session.run([output], {name: value})
    except Exception as error:
        raise InvalidModelError(f"ONNX Runtime cannot run the model: {first_line(error)}") from error
    if answer.ndim != 2 or len(answer) != len(value):
        raise InvalidModelError(
            f"The model answers {len(value)} images with shape {list(answer.shape)}; expected [{len(value)}, classes]."
        )
    return np.asarray(answer, dtype=np.float64)


def _together(
    session: onnxruntime.InferenceSession, images: NDArray[np.uint8], signature: Signature
) -> NDArray[np.float64]:
    try:
        return _run(session, OUTPUT, INPUT, images)
    except InvalidModelError as error:
        fixed = (
            "says that its batch is dynamic" if signature.batch is None else f"has its batch fixed at {signature.batch}"
        )
        raise InvalidModelError(
            f"The model {fixed}, and cannot run three images at once: export it with a dynamic batch. ({error})"
        ) from error


def _original_answers(
    session: onnxruntime.InferenceSession, signature: Signature, images: NDArray[np.uint8], normalisation: Normalisation
) -> NDArray[np.float64]:
    """The original's answers [3, C]; a fixed batch is filled with copies of one image."""
    value: NDArray[Any] = images
    if signature.input_type != TensorProto.UINT8:
        value = normalisation(images)
    if signature.layout == "NCHW":
        value = value.transpose(0, 3, 1, 2)
    if signature.input_type == TensorProto.FLOAT16:
        value = value.astype(np.float16)
    repeats = signature.batch or 1
    batches = [np.ascontiguousarray(np.repeat(image[None], repeats, axis=0)) for image in value]
    return np.concatenate([_run(session, signature.output_name, signature.input_name, batch)[:1] for batch in batches])


def _check_logits(logits: NDArray[np.float64]) -> None:
    if not np.isfinite(logits).all():
        raise InvalidModelError("The model answers random images with logits that are not finite.")
    if (logits == logits[0]).all():
        raise InvalidModelError("The model answers three different images alike; its weights look broken.")
    if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=TOLERANCE):
        raise InvalidModelError(
            "The model gives probabilities (they add up to 1); expected logits, which calibration needs: "
            "export it without its last softmax."
        )


def _closed(logits: NDArray[np.float64], closing: str | None) -> NDArray[np.float64]:
    """Logits through the activation that was taken off."""
    if closing is None:
        return logits
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return np.exp(log_probabilities) if closing == "Softmax" else log_probabilities


def _are_close(left: NDArray[np.float64], right: NDArray[np.float64], tolerance: float) -> bool:
    return left.shape == right.shape and bool(np.abs(left - right).max() <= tolerance * np.abs(right).max())


def _types(signature: Signature) -> set[int]:
    return {signature.input_type, signature.output_type}
