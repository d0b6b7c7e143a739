"""One Triton address: its connection, what is in flight there, and whether it is well."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from typing import TYPE_CHECKING

import grpc
from tritonclient.grpc import service_pb2

from gateway.deadline import Deadline
from gateway.errors import GatewayError, ModelAnswerError
from gateway.inference.admission import Load
from gateway.inference.breaker import SIGNS_OF_LIFE, Breaker, State
from gateway.inference.calls import INFER
from gateway.inference.codec import Inquiry
from gateway.inference.outcomes import Outcome
from gateway.inference.picture import green_png
from gateway.tracing import outgoing_headers

if TYPE_CHECKING:
    from gateway.inference.calls import Call
    from gateway.metrics import Metrics

logger = logging.getLogger(__name__)

CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),  # eight photos of 20 MB; the routes have counted them
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),  # the outputs of models whose tensors users ask for
    # A Triton that was restarted is found again within half a second; by default gRPC waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A host that is gone, or a process that is stopped while its kernel still acknowledges, shows within 3 s: early
    # enough to ask another address within the 5 s of a request. It is the ping's timeout that counts; the one named
    # keepalive ends nothing in this gRPC. Triton must allow it: stack/triton.py.
    ("grpc.keepalive_time_ms", 1500),
    ("grpc.keepalive_timeout_ms", 1500),
    ("grpc.http2.ping_timeout_ms", 1500),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # a connection of our own: what breaks it is ours to count
)
PROBE_SECONDS = 2.0
FAULT_SECONDS = 1.0  # between two looks at a server that answers, but not with the release that is probed
END_SECONDS = 6.0  # a call takes 5 s at most
DOUBTS = frozenset({Outcome.FAILED, Outcome.SLOW})
METADATA_METHOD = "/inference.GRPCInferenceService/ServerMetadata"
METADATA_SECONDS = 0.5


class Endpoint:
    """Everyone's calls and, now and then, a synthetic inference feed its breaker."""

    def __init__(self, address: str, probe_version: str | None, metrics: Metrics) -> None:
        self.address = address
        self.load = Load(time.monotonic)
        self.tried = asyncio.Event()
        self._fault: str | None = "not tried yet"
        self._logged: str | None = self._fault
        self._breaker = Breaker(time.monotonic)
        self._metrics = metrics
        self._inquiry = Inquiry([green_png()], 1, probe_version, "probe")
        self._suspicion = asyncio.Event()
        self._probed_at = 0.0
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._metadata = self._channel.unary_unary(
            METADATA_METHOD,
            service_pb2.ServerMetadataRequest.SerializeToString,
            service_pb2.ServerMetadataResponse.FromString,
        )
        self._watch = asyncio.create_task(self._watch_over())

    @property
    def is_closed(self) -> bool:
        """The breaker: calls may go there."""
        return self._breaker.state is State.CLOSED

    @property
    def breaker_state(self) -> State:
        return self._breaker.state

    @property
    def fault(self) -> str | None:
        """Why nobody should rely on it. One slow probe is none: under load the next ones decide."""
        return self._breaker.reason or self._fault

    async def ask(self, call: Call, deadline: Deadline) -> bytes:
        """The decoded answer. Raises what the call judges; cancelled, it cancels the call in Triton too."""
        seconds = deadline.remaining()
        began = self.load.begin()
        outcome = Outcome.CANCELLED
        try:
            outcome, result = await self._ask(call, deadline, seconds)
        finally:
            self.load.end(began, answered=outcome is Outcome.ANSWERED and call.method == INFER)
            self._metrics.triton_calls.labels(self.address, outcome).inc()
            if call.is_vetted or outcome is Outcome.REFUSED:
                self._note_state(has_opened=self._breaker.record(outcome))
            elif outcome in DOUBTS:  # may be the caller's own doing: a probe finds out
                self._breaker.suspect()
            if outcome is Outcome.UNSERVED and self._fault is None:  # other releases' answers must not hide it
                self._breaker.suspect()
            if outcome not in SIGNS_OF_LIFE:
                self._suspicion.set()
        if isinstance(result, GatewayError):
            raise result
        return result

    async def server_version(self) -> str | None:
        """Triton's own; None: it does not say within a moment."""
        try:
            answer = await self._metadata(service_pb2.ServerMetadataRequest(), timeout=METADATA_SECONDS)
        except grpc.aio.AioRpcError:
            return None
        return str(answer.version)

    async def close(self) -> None:
        """Let the calls end that are in flight."""
        self._watch.cancel()
        await asyncio.gather(self._watch, return_exceptions=True)
        await self._channel.close(END_SECONDS)
        while self.load.in_flight:  # noqa: ASYNC110  (they have ended, and are about to be counted)
            await asyncio.sleep(0)
        for metric in (self._metrics.triton_calls, self._metrics.breaker_state, self._metrics.breaker_opened):
            metric.remove_by_labels({"address": self.address})  # pods come and go; their series must not add up

    async def _ask(self, call: Call, deadline: Deadline, seconds: float) -> tuple[Outcome, bytes | GatewayError]:
        send = self._channel.unary_unary(call.method)  # bytes in, bytes out
        try:
            answer = await send(call.encode(seconds), timeout=seconds, metadata=outgoing_headers())
            return Outcome.ANSWERED, call.decode(answer)
        except grpc.aio.AioRpcError as error:
            outcome, told = call.judge(error, deadline, seconds)
            told.__cause__ = error
            return outcome, told
        except ModelAnswerError as error:
            return Outcome.FAILED, error

    async def _watch_over(self) -> None:
        """Probe when the breaker wants it: after a suspicion, a silence, or while it is open."""
        while True:
            self._suspicion.clear()
            with contextlib.suppress(TimeoutError):  # no wait_for: in Python 3.11 it can swallow a cancellation
                async with asyncio.timeout(self._seconds_to_probe):
                    await self._suspicion.wait()
            if self._seconds_to_probe == 0:
                try:
                    await self._probe()
                except Exception:  # a bug must not leave a breaker open for ever
                    logger.exception("a probe of Triton failed")
                    await asyncio.sleep(PROBE_SECONDS)

    @property
    def _seconds_to_probe(self) -> float:
        """Answers of another release keep the breaker content; the fault is looked at all the same."""
        seconds = self._breaker.seconds_to_probe
        if self._fault is None or not self.is_closed:
            return seconds
        return min(seconds, max(0.0, self._probed_at + FAULT_SECONDS - time.monotonic()))

    async def _probe(self) -> None:
        """A photo goes all the way through decoding and inference: Triton's own health says 200 while a Python stub is
        dead (triton-inference-server/server 8604).
        """
        self._probed_at = time.monotonic()
        self._breaker.begin_probe()
        self._note_state()
        outcome, result = await self._ask(self._inquiry, Deadline.after(PROBE_SECONDS), PROBE_SECONDS)
        if outcome is Outcome.ANSWERED and not is_diagnosed(result):
            outcome = Outcome.FAILED
        self._note_state(has_opened=self._breaker.end_probe(outcome))
        if outcome in {Outcome.ANSWERED, Outcome.UNSERVED, Outcome.REJECTED}:
            self._fault = None if outcome is Outcome.ANSWERED else str(outcome)
        self._log_fault()
        self.tried.set()

    def _note_state(self, *, has_opened: bool = False) -> None:
        self._metrics.breaker_state.labels(self.address).set(self._breaker.state)
        if has_opened:
            self._metrics.breaker_opened.labels(self.address, self._breaker.reason).inc()
            self._log_fault()

    def _log_fault(self) -> None:
        """Once when it begins and once when it is over."""
        if self.fault == self._logged:
            return
        self._logged = self.fault
        if self.fault is None:
            logger.info("Triton at %s answers", self.address)
        else:
            logger.warning("Triton at %s is not relied on for now: %s", self.address, self.fault)


def is_diagnosed(content: bytes | GatewayError) -> bool:
    """The synthetic inference's picture was read."""
    try:
        return isinstance(content, bytes) and json.loads(content)["images"][0]["error"] is None
    except (ValueError, LookupError, TypeError):
        return False
