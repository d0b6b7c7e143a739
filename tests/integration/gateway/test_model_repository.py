"""A model repository out of a real S3 server: exactly the one that was named, or none."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from stack.database import PYTHON_ENVIRONMENT
from stack.paths import ROOT
from tests.seaweed import BUCKET, KEY_ID, SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from tests.seaweed import Seaweed

FILES = {
    path.relative_to(ROOT / "model_repository").as_posix(): path for path in (ROOT / "model_repository").rglob("*")
}
FILES = {name: path for name, path in FILES.items() if path.is_file() and "__pycache__" not in name}


@dataclass(frozen=True)
class Published:
    """One folder of the bucket, and where a pod would put it."""

    seaweed: Seaweed
    folder: Path
    prefix: str
    sha256: str

    @classmethod
    def of(cls, seaweed: Seaweed, folder: Path, contents: dict[str, bytes], listed: str | None = None) -> Published:
        prefix = f"/{BUCKET}/models-{uuid.uuid4().hex}"
        lines = "".join(f"{hashlib.sha256(content).hexdigest()}  ./{name}\n" for name, content in contents.items())
        sums = (listed or lines).encode()
        for name, content in {**contents, "SHA256SUMS": sums}.items():
            assert seaweed.call("PUT", f"{prefix}/{name}", content).status_code == 200
        (folder / "models").mkdir()
        return cls(seaweed, folder, prefix, hashlib.sha256(sums).hexdigest())

    def fetch(self, **changes: str) -> subprocess.CompletedProcess[str]:
        """As the init container does."""
        for name, value in (("id", KEY_ID), ("secret", SECRET)):
            (self.folder / name).write_text(value + "\n")
        environment = {
            **os.environ,
            **PYTHON_ENVIRONMENT,
            "FROND_MODELS_URL": self.seaweed.endpoint + self.prefix,
            "FROND_MODELS_SHA256": self.sha256,
            "FROND_MODELS_FOLDER": str(self.folder / "models"),
            "FROND_MODELS_ACCESS_KEY_ID_FILE": str(self.folder / "id"),
            "FROND_MODELS_SECRET_ACCESS_KEY_FILE": str(self.folder / "secret"),
            **changes,
        }
        command = [sys.executable, "-m", "gateway.repository"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def names(self) -> set[str]:
        files = (path for path in (self.folder / "models").rglob("*") if path.is_file())
        return {path.relative_to(self.folder / "models").as_posix() for path in files}


SMALL = {"releases.json": b"{}", "diagnose/1/model.py": b"code"}


def test_the_shipped_repository_arrives_as_it_is_and_a_second_run_fetches_nothing(
    seaweed: Seaweed, tmp_path: Path
) -> None:
    published = Published.of(seaweed, tmp_path, {name: path.read_bytes() for name, path in FILES.items()})
    done = published.fetch()
    assert done.returncode == 0, done.stderr
    assert f"{len(FILES)} files fetched" in done.stdout
    assert published.names() - {".SHA256SUMS"} == set(FILES)
    assert all((tmp_path / "models" / name).read_bytes() == path.read_bytes() for name, path in FILES.items())
    assert "0 files fetched" in published.fetch().stdout


@pytest.mark.parametrize("name", ["diagnose/1/model.py", "SHA256SUMS"])
def test_what_was_changed_in_the_bucket_is_refused(name: str, seaweed: Seaweed, tmp_path: Path) -> None:
    published = Published.of(seaweed, tmp_path, SMALL)
    seaweed.call("PUT", f"{published.prefix}/{name}", b"other code")
    done = published.fetch()
    assert done.returncode == 1
    assert "another SHA-256" in done.stderr
    assert name not in published.names()


def test_a_file_that_is_missing_or_a_key_that_may_not_is_told(seaweed: Seaweed, tmp_path: Path) -> None:
    published = Published.of(seaweed, tmp_path, SMALL)
    seaweed.call("DELETE", f"{published.prefix}/diagnose/1/model.py")
    assert "answered 404" in published.fetch().stderr
    (tmp_path / "wrong").write_text("wrong")
    refused = published.fetch(FROND_MODELS_SECRET_ACCESS_KEY_FILE=str(tmp_path / "wrong"))
    assert "answered 403" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil"])
def test_a_list_cannot_reach_outside_of_its_folder(name: str, seaweed: Seaweed, tmp_path: Path) -> None:
    listed = f"{'a' * 64}  releases.json\n{'b' * 64}  {name}\n"
    done = Published.of(seaweed, tmp_path, SMALL, listed).fetch()
    assert done.returncode == 1
    assert "no file below it" in done.stderr


def test_a_storage_that_is_away_is_told(seaweed: Seaweed, tmp_path: Path) -> None:
    done = Published.of(seaweed, tmp_path, SMALL).fetch(FROND_MODELS_URL="http://127.0.0.1:9/models")
    assert done.returncode == 1
    assert "ConnectError" in done.stderr
