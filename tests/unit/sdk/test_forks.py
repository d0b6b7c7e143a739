"""A client that was made before a fork, in the child and in the parent."""

from __future__ import annotations

import asyncio
import threading

import pytest

import frond
from frond import forking
from frond.client import CloudInferenceClient
from frond.reports import Reporting
from frond.telemetry import Telemetry
from frond.types import TelemetryKind
from stack.paths import ROOT
from tests.unit.sdk.children import in_child
from tests.unit.sdk.services import BASE, PHOTO, Service, order

RELEASE = ROOT / "model_repository" / "classifier" / "1"
# Python 3.12 warns of every fork beside threads, which is what these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@pytest.mark.parametrize("is_used", [True, False], ids=["used before", "only made before"])
def test_a_client_works_in_the_child_and_in_the_parent(is_used: bool) -> None:
    with CloudInferenceClient(BASE, "token", options=Service().options()) as client:
        if is_used:
            client.predict(order())
        assert in_child(lambda: client.predict(order()).attempts) == "1"
        assert client.predict(order()).attempts == 1


def test_the_deadline_holds_in_the_child() -> None:
    service = Service(before=lambda: asyncio.sleep(30))
    with CloudInferenceClient(BASE, "token", options=service.options()) as client:
        assert "CloudTimeoutError" in in_child(lambda: client.predict(order(timeout_seconds=0.2)))


def test_a_child_may_close_the_client_and_its_children_have_it_too() -> None:
    with CloudInferenceClient(BASE, "token", options=Service().options()) as client:
        assert in_child(lambda: in_child(lambda: client.predict(order()).attempts)) == "1"
        assert in_child(client.close) == "None"
        assert client.predict(order()).attempts == 1
    assert "The client is closed" in in_child(lambda: client.predict(order()))


def test_the_programs_client_is_there_in_the_child() -> None:
    try:
        frond.get_cloud_inference_client(BASE, "token", options=Service().options())
        assert in_child(lambda: frond.get_cloud_inference_client().predict(order()).attempts) == "1"
    finally:
        frond.reset_cloud_inference_client()


def test_a_call_under_way_in_another_thread_is_the_parents_alone() -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        while not go_on.is_set():  # noqa: ASYNC110  (set by another thread)
            await asyncio.sleep(0.01)

    attempts: list[int] = []
    service = Service(before=wait)
    with CloudInferenceClient(BASE, "token", options=service.options()) as client:
        call = threading.Thread(target=lambda: attempts.append(client.predict(order()).attempts))
        call.start()
        begun.wait()

        def ask() -> int:
            go_on.set()
            return client.predict(order()).attempts

        assert in_child(ask) == "1"
        go_on.set()
        call.join()
    assert attempts == [1]


def test_a_lock_that_another_thread_held_is_free_in_the_child() -> None:
    lock = forking.Lock()

    def take() -> str:
        with lock:
            return "taken"

    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    assert in_child(take) == "taken"
    done.set()
    holder.join()


def test_what_the_parent_has_to_report_is_not_reported_twice() -> None:
    telemetry = Telemetry()
    options = Service().options(telemetry=telemetry, reporting=Reporting(sample_ratio=1.0))
    with CloudInferenceClient(BASE, "token", options=options) as client:
        telemetry.log_idempotency_hit(1)
        assert in_child(lambda: len(client.asynchronous.reports)) == "0"
        assert len(client.asynchronous.reports) == 1
    assert telemetry.percentiles(TelemetryKind.IDEMPOTENCY_HIT) is not None


def test_a_model_that_was_loaded_before_says_so_and_can_be_loaded_again() -> None:
    devices = [frond.OnnxDevicePredictor(RELEASE)]

    def predict() -> int:
        return len(asyncio.run(devices[0].predict([PHOTO], 1)).images)

    def predict_anew() -> int:
        devices[0] = frond.OnnxDevicePredictor(RELEASE)
        return predict()

    assert "load it in the child" in in_child(predict)
    assert in_child(predict_anew) == "1"
    assert predict() == 1
    devices[0].close()
