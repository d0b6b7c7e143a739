"""The device first, the cloud if that is not enough: python device_first.py RELEASE leaf.jpg

RELEASE is a folder with model.onnx, labels.json, preprocess.json and calibration.json. Needs the extra `frond[device]`.
"""

from __future__ import annotations

import os
import sys

from frond import (
    CloudInferenceClient,
    CoordinatorOptions,
    DeviceUnavailableError,
    FrondError,
    InferenceCoordinator,
    OnnxDevicePredictor,
)

OPTIONS = CoordinatorOptions(device_timeout_seconds=2.0, min_confidence=0.6)


def main(release: str, photos: list[str]) -> int:
    try:
        device = OnnxDevicePredictor(release)
    except DeviceUnavailableError as error:
        print(f"Only the cloud: {error}")
        device = None
    with (
        CloudInferenceClient(os.environ["FROND_URL"], os.environ["FROND_TOKEN"]) as client,
        InferenceCoordinator(client, device, OPTIONS) as coordinator,
    ):
        try:
            result = coordinator.run_inference(
                photos, mode="auto", assessment_id="assessment-456", plant_context={"id": "plant-123"}
            )
        except FrondError as error:
            print(f"Neither device nor cloud: {error}")
            return 1
    if result.diagnosis.abstained:
        print(f"No diagnosis to act on: {result.diagnosis.abstain_reason}")
    else:
        first = result.diagnosis.predictions[0]
        print(f"{first.crop}, {first.condition}: {first.confidence:.0%}")
    decision = result.decision
    print(f"on the {decision.ran_on}: {decision.reason} {decision.fallback_reason or ''}".rstrip())
    for stage, seconds in decision.stage_seconds.items():
        print(f"  {stage} {seconds * 1000:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
