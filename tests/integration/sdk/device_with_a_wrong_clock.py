"""A program with the SDK whose wall clock is wrong: HOURS ahead, behind if negative, or `jumping` to and fro.

Reads what it is to do from its first line of input, and prints what came of it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import json
import sys
import time
from typing import Any

HOURS = itertools.cycle([12, -12] if sys.argv[1] == "jumping" else [int(sys.argv[1])])
right_time = time.time


class WrongDatetime(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return super().now(tz) + dt.timedelta(hours=next(HOURS))


time.time = lambda: right_time() + 3600 * next(HOURS)
time.time_ns = lambda: int(time.time() * 1e9)
dt.datetime = WrongDatetime  # type: ignore[misc]

# Only now: whoever imports these names gets the wrong ones.
from frond import AsyncCloudInferenceClient, ClientOptions, CloudInferenceError, PredictOptions, Reporting  # noqa: E402


async def main(task: dict[str, Any]) -> dict[str, Any]:
    refreshes: list[int] = []

    async def refreshed() -> str:
        refreshes.append(1)
        return str(task["refreshed"])

    options = ClientOptions(reporting=Reporting(sample_ratio=1.0, interval_seconds=3600))
    order = PredictOptions(
        photos=task["photos"],
        assessment_id="a-1",
        plant_context={"id": "p-1"},
        timeout_seconds=task["seconds"],
        delivery=task["delivery"],
    )
    started, outcome = time.monotonic(), {}
    async with AsyncCloudInferenceClient(
        task["url"], task["token"], refresh_token=refreshed, options=options
    ) as client:
        try:
            prediction = await client.predict(order)
            outcome = {"attempts": prediction.attempts, "key": str(prediction.idempotency_key)}
        except CloudInferenceError as error:
            outcome = {"category": error.category, "code": error.code}
        outcome["seconds"] = time.monotonic() - started
    return outcome | {"refreshes": len(refreshes), "unreported": len(client.reports)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.stdin.readline())))))
