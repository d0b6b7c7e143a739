"""One stack for all tests of this folder; none of them stops it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local_stack import LocalStack, local_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with local_stack(tmp_path_factory.mktemp("stack") / "state") as running:
        yield running
