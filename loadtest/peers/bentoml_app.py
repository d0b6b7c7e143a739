"""BentoML, by its documentation: `bentoml serve bentoml_app:LeafClassifier`."""

from typing import Any

import bentoml
from classifier import Classifier
from PIL.Image import Image


@bentoml.service(workers=2, threads=2, logging={"access": {"enabled": False}})
class LeafClassifier:
    def __init__(self) -> None:
        self._classifier = Classifier(threads=1)

    @bentoml.api
    def classify(self, image: Image) -> list[dict[str, Any]]:
        (predictions,) = self._classifier.predict([self._classifier.tensor(image)])
        return predictions
