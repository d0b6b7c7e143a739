"""Upload photos while the user is still typing, and ask for the diagnosis later: python upload_first.py leaf.jpg

In an app with an event loop; with a token that is refreshed when it has expired, and figures for the app's own
dashboard.
"""

from __future__ import annotations

import asyncio
import os
import sys

from frond import (
    AsyncCloudInferenceClient,
    ClientOptions,
    PlantContext,
    PredictOptions,
    Telemetry,
    TelemetryEvent,
    TelemetryKind,
)


async def refreshed_token() -> str:
    """The app's own session would ask its issuer here."""
    return os.environ["FROND_TOKEN"]


def note(event: TelemetryEvent) -> None:
    print(f"{event.event}: {event.duration_ms} ms")


async def main(photos: list[str]) -> int:
    options = ClientOptions(telemetry=Telemetry(note))
    token = os.environ.get("FROND_OLD_TOKEN") or os.environ["FROND_TOKEN"]
    async with AsyncCloudInferenceClient(
        os.environ["FROND_URL"], token, refresh_token=refreshed_token, options=options
    ) as client:
        uploaded = await client.upload_images(photos)
        species = await asyncio.to_thread(lambda: "Solanum lycopersicum")  # the user types
        answer = await client.predict(
            PredictOptions(
                photos=uploaded,
                assessment_id="assessment-456",
                plant_context=PlantContext(id="plant-123", species=species),
            )
        )
        if answer.diagnosis.abstained:
            print(f"No diagnosis to act on: {answer.diagnosis.abstain_reason}")
        else:
            print(answer.diagnosis.predictions[0].condition)
        times = client.telemetry.percentiles(TelemetryKind.CLOUD_INFERENCE_SUCCESS)
        print(f"p95 so far: {times.p95 if times else 0:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
