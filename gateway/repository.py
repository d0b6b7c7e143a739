"""`python -m gateway.repository`: fill a model repository from S3-compatible storage, as its list of hashes says.

A repository holds Python that Triton runs: whoever can write the bucket must not be able to choose what. So the
deployment names the hash of `SHA256SUMS`, and that list every file's.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx2
from pydantic import ValidationError

from gateway.settings import RepositorySettings, reason
from gateway.uploads.sigv4 import Signer

if TYPE_CHECKING:
    from collections.abc import Mapping

LIST = "SHA256SUMS"
MAX_LIST_BYTES = 1024 * 1024
MAX_FILE_BYTES = 2 * 1024**3  # what a protobuf message, and so an ONNX file, can have
TIMEOUT_SECONDS = 30.0  # without a byte
LIMIT_SECONDS = 1800.0  # for all of it: 2 GB at 10 Mbit/s. A pod that waits for ever is no rollout that fails
LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")  # as `sha256sum` writes it


class RepositoryError(Exception):
    """The storage does not have what was named."""


class Bucket:
    """Reads objects below one URL, signed, for so long in all."""

    def __init__(self, client: httpx2.Client, url: str, signer: Signer, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._signer = signer
        self._until = time.monotonic() + limit_seconds

    def fetch(self, name: str, target: Path, sha256: str, max_bytes: int = MAX_FILE_BYTES) -> None:
        """Into a file that is there only once it is whole and right. Raises `RepositoryError`."""
        incoming = target.with_name(f".{target.name}.incoming")
        incoming.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        url = f"{self._url}/{quote(name)}"
        try:
            with self._client.stream("GET", url, headers=self._signer.headers("GET", url, {}, b"")) as response:
                if response.status_code != httpx2.codes.OK:
                    raise RepositoryError(f"{url}: the storage answered {response.status_code}")
                with incoming.open("wb") as file:
                    for piece in response.iter_raw():
                        digest.update(piece)
                        if file.tell() + len(piece) > max_bytes:
                            raise RepositoryError(f"{url} is larger than {max_bytes} bytes")
                        if time.monotonic() > self._until:
                            raise RepositoryError(f"{url}: the storage takes too long")
                        file.write(piece)
        except httpx2.HTTPError as error:
            raise RepositoryError(f"{url}: {error!r}") from error
        if digest.hexdigest() != sha256:
            raise RepositoryError(f"{url} has another SHA-256 than {sha256}")
        incoming.replace(target)


def read_list(path: Path) -> Mapping[str, str]:
    """Hashes by name. Raises `RepositoryError` for a list that is none, or that leaves its folder."""
    hashes = {}
    for line in path.read_text().splitlines():
        matched = LINE.fullmatch(line)
        name = PurePosixPath(matched[2]) if matched else None
        if matched is None or name is None or name.is_absolute() or ".." in name.parts:
            raise RepositoryError(f"{LIST} has a line that is no file below it: {line[:200]!r}")
        hashes[str(name)] = matched[1]
    if "releases.json" not in hashes:
        raise RepositoryError(f"{LIST} names no releases.json: it is not of a model repository")
    return hashes


def synchronise(bucket: Bucket, sha256: str, folder: Path) -> int:
    """Fetch what is not there yet; how many files were fetched. Files of the folder that are not listed stay."""
    listed = folder / f".{LIST}"
    bucket.fetch(LIST, listed, sha256, MAX_LIST_BYTES)
    wanted = {name: expected for name, expected in read_list(listed).items() if sha256_of(folder / name) != expected}
    for name, expected in wanted.items():
        bucket.fetch(name, folder / name, expected)
    return len(wanted)


def sha256_of(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    try:
        settings = RepositorySettings()
        key = (settings.models_access_key_id_file, settings.models_secret_access_key_file)
        signer = Signer(tuple(path.read_text().strip() for path in key), settings.models_region)
        with httpx2.Client(timeout=TIMEOUT_SECONDS) as client:
            bucket = Bucket(client, str(settings.models_url), signer)
            count = synchronise(bucket, settings.models_sha256, settings.models_folder)
    except (RepositoryError, ValidationError, OSError) as error:
        sys.exit(f"The model repository was not fetched: {reason(error)}")
    print(f"{count} files fetched; the repository is the one named {settings.models_sha256}")


if __name__ == "__main__":
    main()
