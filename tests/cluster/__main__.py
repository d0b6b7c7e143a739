"""`make cluster`: the cluster of these tests, with phones that ask and a rolling restart in turns, to be looked at."""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, cluster
from tests.cluster.load import load

PAUSE_SECONDS = 30


async def show(folder: Path) -> None:
    print("Starting two gateways and three Tritons, which takes 15 s or more …", flush=True)
    async with cluster(folder, lambda _models: None) as made:
        print(f"gateway     {made.url}\nPrometheus  {made.prometheus_url}\nlogs        {folder}")
        print(f"dashboards  frond dashboard --prometheus {made.prometheus_url}\nCtrl-C ends it.\n", flush=True)
        await roll_in_turns(made)


async def roll_in_turns(made: Cluster) -> None:
    """For ever."""
    tiers = {"gateways": made.gateways, "Tritons": made.tritons}
    async with load(made.url, made.signing_key) as course:
        for name, tier in itertools.cycle(tiers.items()):
            await asyncio.sleep(PAUSE_SECONDS)
            print(f"rolling restart of the {name} …", end=" ", flush=True)
            await tier.roll()
            print(course.told(), flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="frond-cluster-") as folder, suppress(KeyboardInterrupt):
        try:
            asyncio.run(show(Path(folder)))
        except pytest.skip.Exception as missing:
            sys.exit(str(missing))


if __name__ == "__main__":
    main()
