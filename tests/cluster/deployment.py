"""The pods of one Deployment, and their rolling update."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.names import Endpoints
    from tests.cluster.pod import Pod
    from tests.cluster.workload import Workload


class Deployment:
    """`make_pod` makes the next one of a workload; it is not started yet."""

    def __init__(self, workload: Workload, endpoints: Endpoints, make_pod: Callable[[Workload], Pod]) -> None:
        self.endpoints = endpoints
        self.pods: list[Pod] = []
        self._workload = workload
        self._make_pod = make_pod

    async def scale_up(self) -> None:
        """From none to all replicas."""
        self.pods = [self._make_pod(self._workload) for _ in range(self._workload.replicas)]
        async with asyncio.TaskGroup() as tasks:
            for pod in self.pods:
                tasks.create_task(pod.start())

    async def roll(self, workload: Workload | None = None) -> None:
        """`kubectl rollout restart`, or another template. Returns when the last old pod is gone.

        With maxUnavailable 0 and maxSurge 1: an old pod is told to go when a new one is ready, and while it takes its
        time the next new one starts, since pods that go are not counted.
        """
        self._workload = workload or self._workload
        async with asyncio.TaskGroup() as going:
            for old in list(self.pods):
                new = self._make_pod(self._workload)
                self.pods.append(new)
                await new.start()
                self.pods.remove(old)
                going.create_task(old.end())

    async def drop(self) -> None:
        await asyncio.gather(*(pod.drop() for pod in self.pods))
