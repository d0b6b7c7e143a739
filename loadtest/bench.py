"""Requests a second through the gateway beside `diagnose` driven directly: `make bench`.

Both are measured in one run, in turns, on photos of three sizes, since one figure alone says more of the machine than
of Frond. The last line is one JSON object: `{"256px": {"diagnose": …, "frond": …}, …}` in requests a second.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import numpy as np
import tritonclient.grpc.aio as triton
from PIL import Image

from cli.connection import LOCAL_USER, local_token
from cli.sample import draw_sample
from stack import control
from stack.paths import StatePaths
from stack.state import State, read_state

SIZES = {"256px": (256, 256), "1mp": (1152, 864), "12mp": (4000, 3000)}
REQUEST = json.dumps({"assessmentId": "bench", "plantContext": {"id": "bench"}}).encode()

Ask = Callable[[bytes], Awaitable[None]]


def main() -> None:
    """Measure the stack that runs here, or one that is up for the purpose only."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5, help="a round, for each size and target")
    parser.add_argument("--rounds", type=int, default=3, help="the median of them counts")
    options = parser.parse_args()
    paths = StatePaths.default()
    if state := read_state(paths):
        asyncio.run(measure(state, options))
        return
    try:
        asyncio.run(measure(control.start_detached(paths, 0, lambda _: None), options))
    finally:
        control.stop(paths)


async def measure(state: State, options: argparse.Namespace) -> None:
    headers = {"Authorization": f"Bearer {local_token(LOCAL_USER)}"}
    async with (
        triton.InferenceServerClient(state.triton_grpc) as direct,
        httpx2.AsyncClient(base_url=state.gateway_url, headers=headers, timeout=30) as gateway,
    ):
        targets: dict[str, Ask] = {"diagnose": _ask_diagnose(direct), "frond": _ask_frond(gateway)}
        results: dict[str, dict[str, float]] = {}
        for name, size in SIZES.items():
            photo = _photo(size)
            rounds: dict[str, list[list[float]]] = {target: [] for target in targets}
            for _ in range(options.rounds):
                for target, ask in targets.items():
                    rounds[target].append(await _load(ask, photo, options.concurrency, options.seconds))
            results[name] = {
                target: round(statistics.median(len(times) / options.seconds for times in taken), 1)
                for target, taken in rounds.items()
            }
            for target, taken in rounds.items():
                times = sorted(seconds for one in taken for seconds in one)
                p50, p95 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.95))
                rate = results[name][target]
                print(f"{name:>6} {target:>9}: {rate:7.1f} requests/s, p50 {p50:6.1f} ms, p95 {p95:6.1f} ms")
    print(json.dumps(results))


def _photo(size: tuple[int, int]) -> bytes:
    encoded = io.BytesIO()
    Image.open(io.BytesIO(draw_sample())).resize(size, Image.Resampling.BICUBIC).save(encoded, "JPEG", quality=90)
    return encoded.getvalue()


def _ask_diagnose(client: Any) -> Ask:
    async def ask(photo: bytes) -> None:
        images = triton.InferInput("IMAGES", [1, 1], "BYTES")
        images.set_data_from_numpy(np.array([[photo]], dtype=np.object_))
        await client.infer("diagnose", [images])

    return ask


def _ask_frond(client: httpx2.AsyncClient) -> Ask:
    async def ask(photo: bytes) -> None:
        files = {"request": ("request.json", REQUEST, "application/json"), "images": ("leaf.jpg", photo, "image/jpeg")}
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        response = await client.post("/v1/ai-inference", headers=headers, files=files)
        response.raise_for_status()

    return ask


async def _load(ask: Ask, photo: bytes, concurrency: int, seconds: float) -> list[float]:
    """Seconds that each request took which ended within the round."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def worker() -> None:
        while (start := time.perf_counter()) < end:
            await ask(photo)
            if (now := time.perf_counter()) < end:
                times.append(now - start)

    await ask(photo)
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return times


if __name__ == "__main__":
    main()
