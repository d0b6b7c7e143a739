"""The client's figures in the app's own OpenTelemetry: python with_opentelemetry.py leaf.jpg

Needs the extra `frond[opentelemetry]`, which is OpenTelemetry's API, and an SDK (`pip install opentelemetry-sdk`).
"""

from __future__ import annotations

import os
import sys

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader

from frond import ClientOptions, CloudInferenceClient, CloudInferenceError, PlantContext, PredictOptions, Telemetry
from frond.opentelemetry import opentelemetry_sink


def main(photos: list[str]) -> int:
    provider = MeterProvider([PeriodicExportingMetricReader(ConsoleMetricExporter())])  # an app sends them elsewhere
    sink = opentelemetry_sink(provider.get_meter("my-app"))  # without a meter: of the global provider
    options = ClientOptions(telemetry=Telemetry(sink))
    with CloudInferenceClient(os.environ["FROND_URL"], os.environ["FROND_TOKEN"], options=options) as client:
        order = PredictOptions(
            photos=photos, assessment_id="assessment-456", plant_context=PlantContext(id="plant-123")
        )
        try:
            client.predict(order)
        except CloudInferenceError as error:
            print(f"No diagnosis: {error}")
    provider.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
