"""After a timeout, once more under the same key, as a user does who taps «try again»: python try_again.py leaf.jpg

What the service finished meanwhile comes back at once, and no request is diagnosed twice.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from frond import CloudInferenceError, CloudPrediction, CloudTimeoutError, PredictOptions, get_cloud_inference_client


def ask(order: PredictOptions) -> CloudPrediction:
    client = get_cloud_inference_client()  # reads FROND_URL and FROND_TOKEN
    try:
        return client.predict(order)
    except CloudTimeoutError as error:
        print(f"No answer in time; request {error.request_id}, key {error.idempotency_key}. Once more.")
        return client.predict(replace(order, idempotency_key=error.idempotency_key, timeout_seconds=8))


def main(photos: list[str]) -> int:
    seconds = float(os.environ.get("SECONDS_TO_WAIT", "8"))
    order = PredictOptions(
        photos=photos, assessment_id="assessment-456", plant_context={"id": "plant-123"}, timeout_seconds=seconds
    )
    try:
        answer = ask(order)
    except CloudInferenceError as error:
        print(f"No diagnosis: {error}")
        return 1
    abstained = answer.diagnosis.abstained
    print(answer.diagnosis.abstain_reason if abstained else answer.diagnosis.predictions[0].condition)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
