"""An overlay of the test's own over deploy/: the addresses of this cluster, three Tritons, photos in S3."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import yaml

from tests.deploy.manifests import DEPLOY, Resource, render

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TRITONS = 3


def manifests(folder: Path, literals: Mapping[str, str], *components: str) -> list[Resource]:
    """What `kubectl kustomize` makes of the base with `components/s3` and others; the folder is made for it."""
    folder.mkdir()
    named = ("s3", *components)
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "frond",
        "resources": [os.path.relpath(DEPLOY / "base", folder)],
        "components": [os.path.relpath(DEPLOY / "components" / name, folder) for name in named],
        "replicas": [{"name": "triton", "count": TRITONS}],
        "configMapGenerator": [
            {
                "name": "gateway",
                "behavior": "merge",
                "literals": [f"{name}={value}" for name, value in literals.items()],
            }
        ],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return render(folder)
