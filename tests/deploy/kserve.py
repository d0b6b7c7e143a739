"""KServe's resources as far as the example uses them; its own models would bring all of KServe along.

From the reference of serving.kserve.io v1alpha1 and v1beta1. What is Kubernetes' own in them is checked as a Pod.
"""

from __future__ import annotations

from typing import Any

import kubernetes_validate
from pydantic import BaseModel, ConfigDict, Field, model_validator


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Metadata(Strict):
    name: str
    namespace: str
    annotations: dict[str, str] = Field(default_factory=dict)


class Format(Strict):
    name: str
    version: str


class RuntimeSpec(Strict):
    annotations: dict[str, str]
    supportedModelFormats: list[Format]  # noqa: N815
    protocolVersions: list[str]  # noqa: N815
    multiModel: bool  # noqa: N815
    containers: list[dict[str, Any]]
    volumes: list[dict[str, Any]]

    @model_validator(mode="after")
    def check_pod(self) -> RuntimeSpec:
        spec = {"containers": self.containers, "volumes": self.volumes}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "runtime"}, "spec": spec}
        try:
            kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)
        except kubernetes_validate.ValidationError as error:
            raise ValueError(str(error)) from error
        return self


class ServingRuntime(Strict):
    apiVersion: str  # noqa: N815
    kind: str
    metadata: Metadata
    spec: RuntimeSpec


class Model(Strict):
    runtime: str
    modelFormat: Format  # noqa: N815
    protocolVersion: str  # noqa: N815
    storageUri: str  # noqa: N815


class Predictor(Strict):
    minReplicas: int  # noqa: N815
    model: Model


class ServiceSpec(Strict):
    predictor: Predictor


class InferenceService(Strict):
    apiVersion: str  # noqa: N815
    kind: str
    metadata: Metadata
    spec: ServiceSpec


MODELS: dict[tuple[str, str], type[BaseModel]] = {
    ("serving.kserve.io/v1alpha1", "ServingRuntime"): ServingRuntime,
    ("serving.kserve.io/v1beta1", "InferenceService"): InferenceService,
}
