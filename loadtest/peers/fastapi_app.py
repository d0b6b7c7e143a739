"""FastAPI and ONNX Runtime in one process, as most people write it: `uvicorn fastapi_app:app`."""

import os
from typing import Any

from classifier import Classifier
from fastapi import FastAPI, UploadFile

app = FastAPI()
classifier = Classifier(threads=1, is_scaled="SCALED_DECODING" in os.environ)


@app.post("/classify")
def classify(image: UploadFile) -> list[dict[str, Any]]:
    """In FastAPI's thread pool, since it is no coroutine; decoding and prediction both let go of the interpreter."""
    (predictions,) = classifier.predict([classifier.decode(image.file.read())])
    return predictions
