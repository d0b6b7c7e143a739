"""Diagnose photos of one plant: python one_photo.py leaf.jpg [another.jpg …], with FROND_URL and FROND_TOKEN set."""

from __future__ import annotations

import os
import sys

from frond import CloudInferenceClient, CloudInferenceError, PlantContext, PredictOptions


def main(photos: list[str]) -> int:
    with CloudInferenceClient(os.environ["FROND_URL"], os.environ["FROND_TOKEN"]) as client:
        try:
            answer = client.predict(
                PredictOptions(
                    photos=photos,
                    assessment_id="assessment-456",
                    plant_context=PlantContext(id="plant-123", species="Solanum lycopersicum"),
                )
            )
        except CloudInferenceError as error:
            print(f"No diagnosis: {error}")
            if error.retryable:
                print(f"It may work in {error.retry_after or 1:.0f} s.")
            return 1
    if answer.diagnosis.abstained:
        print(f"No diagnosis to act on: {answer.diagnosis.abstain_reason}")
    else:
        for prediction in answer.diagnosis.predictions:
            print(f"{prediction.crop}, {prediction.condition}: {prediction.confidence:.0%}")
    print(f"{answer.attempts} attempt(s), {answer.stage_seconds['total']:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
