"""Triton as a part of the stack: it is ready when a photo comes out diagnosed, not when it says that it is."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx2

from stack import model_repository, processes, triton
from stack.errors import StackError
from stack.part import Health, Part
from stack.synthetic import InferenceRequest, plain_photo

if TYPE_CHECKING:
    from stack.command import Command
    from stack.paths import StatePaths

INFERENCE_SECONDS = 5.0  # between two rounds of synthetic inferences; each costs one of the model's runs
INSTANCES = 2  # of `diagnose`
OVERLAP_SECONDS = 0.002  # longer than the batcher waits for company, shorter than a run
TIMEOUT_SECONDS = 5.0  # of a question about readiness

# No request may take longer than 8 s, however loaded the server is. One that is still out after this hangs in a stub.
# One is enough to know: the next ones go to the model's other instance and succeed.
HANG_SECONDS = 20.0
ENTRY_MODEL = "diagnose"


class TritonPart(Part):
    """Watches the models that an answer needs: `diagnose` and the active release's."""

    name = "triton"
    stop_seconds = 8.0  # its own limit for running requests is 5 s

    def __init__(
        self,
        paths: StatePaths,
        addresses: triton.Addresses,
        hang_seconds: float = HANG_SECONDS,
        traces_url: str | None = None,
    ) -> None:
        self.address = addresses.grpc
        self._hang_seconds = hang_seconds
        self._paths = paths
        self._traces_url = traces_url
        self._addresses = addresses
        self._dead_stubs: set[int] = set()
        self._last_inference = 0.0
        self._hang = ""
        self._request = InferenceRequest.of(plain_photo())
        # Triton waits for open connections when it stops: keep none. It is on the loopback interface: no TLS, no proxy.
        self._client = httpx2.AsyncClient(
            base_url=f"http://{addresses.http}/v2/",
            headers={triton.CONTROL_HEADER: addresses.control_key},
            limits=httpx2.Limits(max_keepalive_connections=0),
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
            verify=False,
        )

    def prepare(self) -> None:
        triton.sweep_shared_memory(self._paths.shared_memory_prefix)
        self._dead_stubs, self._last_inference, self._hang = set(), 0.0, ""

    def command(self) -> Command:
        paths = self._paths
        return triton.serve_command(
            paths.model_repository,
            paths.backends,
            self._addresses,
            paths.shared_memory_prefix,
            traces_url=self._traces_url,
        )

    async def look(self) -> Health:
        try:
            for model in (ENTRY_MODEL, model_repository.active_model(self._paths.model_repository)[1]):
                response = await self._client.get(f"models/{model}/ready")
                if response.status_code != httpx2.codes.OK:
                    return await self._why_unready(model)
            return await self._infer()
        except httpx2.HTTPError as error:
            return Health.silent(f"does not answer ({type(error).__name__})")
        except StackError as error:
            return Health.unready(str(error))

    def defect(self, process_id: int) -> str:
        """A hang, or a stub that died: Triton calls its model ready still, and fails every request with INTERNAL.

        When a model is unloaded, its stub is a zombie too, for a moment: so it must be one at two looks.
        """
        dead = {child.pid for child in processes.children(process_id) if child.is_zombie}
        still_dead = dead & self._dead_stubs
        self._dead_stubs = dead
        return f"lost the Python process {min(still_dead)} of a model" if still_dead else self._hang

    async def _why_unready(self, model: str) -> Health:
        """In Triton's words. It answers only after it has tried to load everything: waiting will not help a start."""
        index = (await self._client.post("repository/index")).json()
        reasons = [entry.get("reason", entry.get("state", "")) for entry in index if entry["name"] == model]
        way_out = "" if model == ENTRY_MODEL else "\n`frond model rollback` returns to the release before."
        return Health.silent(
            f"model {model} is not loaded: {' '.join(reasons) or 'there is none'}{way_out}", is_final=True
        )

    async def _infer(self) -> Health:
        """Photos through both models, now and then, overlapping so that they meet different instances."""
        if time.monotonic() - self._last_inference < INFERENCE_SECONDS:
            return Health.ready()
        looks = await asyncio.gather(*(self._diagnose(number * OVERLAP_SECONDS) for number in range(INSTANCES)))
        worst = next((health for health in looks if not health.is_ready), Health.ready())
        if worst.is_ready:
            self._last_inference = time.monotonic()
        return worst

    async def _diagnose(self, wait_seconds: float) -> Health:
        await asyncio.sleep(wait_seconds)
        path = f"models/{ENTRY_MODEL}/infer"
        headers = {"Inference-Header-Content-Length": str(self._request.header_bytes)}
        try:
            response = await self._client.post(
                path, content=self._request.body, headers=headers, timeout=self._hang_seconds
            )
        except httpx2.ReadTimeout:
            self._hang = f"did not finish a synthetic inference in {self._hang_seconds:g} s"
            return Health.silent(self._hang)
        if response.status_code == httpx2.codes.OK:
            return Health.ready()
        note = f"a synthetic inference failed: {response.text[:200]}"
        is_overloaded = response.status_code in {httpx2.codes.SERVICE_UNAVAILABLE, httpx2.codes.TOO_MANY_REQUESTS}
        return Health.unready(note) if is_overloaded else Health.silent(note)
