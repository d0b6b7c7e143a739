"""One cluster for the tests of this folder, which put back what they harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.cluster.cluster import Cluster, cluster
from tests.releases import CAUTIOUS, models_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """With a second release beside the promoted one, which is worse: it always abstains."""
    async with cluster(tmp_path_factory.mktemp("cluster"), lambda models: models_with(CAUTIOUS, models)) as made:
        yield made
