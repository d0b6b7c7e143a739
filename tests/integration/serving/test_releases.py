"""`diagnose` serves each release by its name, and follows `releases.json` without a restart or a failed request."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from tritonclient.utils import InferenceServerException

from tests.integration.serving import graphs
from tests.integration.serving.assessments import ask
from tests.integration.serving.conftest import metrics
from tests.integration.serving.photos import jpeg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import RunningTriton
    from tests.integration.serving.conftest import Models

SIZE = 32
CONFIG = f"""
backend: "onnxruntime"
max_batch_size: 64
input [ {{ name: "IMAGE" data_type: TYPE_UINT8 dims: [ {SIZE}, {SIZE}, 3 ] }} ]
output [ {{ name: "LOGITS" data_type: TYPE_FP32 dims: [ 3 ] }} ]
instance_group [ {{ count: 1 kind: KIND_CPU }} ]
"""
LABELS = ["Fig___dark", "Fig___grey", "Fig___bright"]
DARK, BRIGHT = jpeg(brightness=10), jpeg(brightness=245)


class Registry:
    """`releases.json` of the running Triton."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, text: str) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.path)

    def promote(self, version: str) -> None:
        releases = {"1": "classifier", "2": "classifier_2"}
        self.write(json.dumps({"active": version, "previous": None, "releases": releases}))


@pytest.fixture
def registry(triton: RunningTriton, client: Any, models: Models) -> Iterator[Registry]:
    """Release 2, with other labels and another size, beside the shipped one, which is active."""
    folder = models.load("classifier_2", CONFIG, graphs.brightness(SIZE, len(LABELS)))
    write_release(folder, "2")
    registry = Registry(triton.model_repository / "releases.json")
    before = registry.path.read_text()
    registry.promote("1")
    yield registry
    registry.write(before)
    assert served_version(client) == "1"


def write_release(folder: Path, version: str, labels: list[str] = LABELS) -> None:
    fields = [{"label": label, "crop": "Fig", "condition": label, "healthy": False} for label in labels]
    thresholds = {"leafLogOddsThreshold": None, "leafEnergyThreshold": None, "minConfidence": 0.4}
    abstention = {"backgroundLabel": None, **thresholds}
    calibration = {"version": version, "temperature": 2.0, "calibrationError": 0.02, "abstention": abstention}
    (folder / "labels.json").write_text(json.dumps(fields))
    (folder / "preprocess.json").write_text(json.dumps({"size": SIZE, "cropFraction": 1, "interpolation": "bilinear"}))
    (folder / "calibration.json").write_text(json.dumps(calibration))


def served_version(client: Any) -> str:
    version: str = ask(client, [DARK])["model"]["version"]
    return version


def test_a_release_is_served_by_its_name_with_its_own_labels_size_and_temperature(
    client: Any, registry: Registry
) -> None:
    answer = ask(client, [BRIGHT], version="2")
    assert answer["predictions"][0]["label"] == "Fig___bright"
    assert answer["model"] == {"name": "classifier", "version": "2", "temperature": 2.0, "calibrationError": 0.02}
    assert served_version(client) == "1"


def test_releases_in_one_batch_are_answered_each_by_its_own(client: Any, registry: Registry) -> None:
    versions = ["1", "2"] * 8
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda version: ask(client, [DARK], version=version), versions))
    assert [answer["model"]["version"] for answer in answers] == versions
    assert {answer["predictions"][0]["label"] for answer in answers[1::2]} == {"Fig___dark"}


def test_metrics_tell_how_sure_a_release_is_and_that_nobody_measured_it(
    client: Any, triton: RunningTriton, registry: Registry
) -> None:
    count, total = (f'frond_confidence_{what}{{release="2"}}' for what in ("count", "sum"))
    before = metrics(triton)
    answer = ask(client, [BRIGHT], version="2")
    after = metrics(triton)
    assert after[count] - before.get(count, 0) == 1
    assert after[total] - before.get(total, 0) == pytest.approx(answer["predictions"][0]["confidence"])
    assert after['frond_release_measured{release="2"}'] == 0


def test_traffic_switches_under_load_without_an_error(client: Any, registry: Registry) -> None:
    stop, seen = threading.Event(), []

    def keep_asking() -> None:
        while not stop.is_set():
            seen.append(served_version(client))

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(keep_asking) for _ in range(4)]
        for version in ("2", "1", "2", "1", "2"):
            registry.promote(version)
            wait_for(client, version)
        stop.set()
        for worker in workers:
            worker.result()  # raises what a request raised
    assert set(seen) == {"1", "2"}


def wait_for(client: Any, version: str) -> None:
    """Until ten requests in a row are answered by the release: then each instance has had one of them."""
    in_a_row = 0
    for _ in range(200):
        in_a_row = in_a_row + 1 if served_version(client) == version else 0
        if in_a_row == 10:
            return
    pytest.fail(f"release {version} is not served after 200 requests")


@pytest.mark.parametrize(
    "content",
    ['{"active": "2", "rel', "", "[]", '{"active": "3", "releases": {"2": "classifier_2"}}', '{"active": "2"}'],
)
def test_a_torn_or_wrong_registry_leaves_the_last_good_one_in_force(
    content: str, client: Any, registry: Registry, triton: RunningTriton
) -> None:
    registry.promote("2")
    wait_for(client, "2")
    registry.write(content)
    assert [served_version(client) for _ in range(6)] == ["2"] * 6
    assert logged(triton, "releases known before stay in force")


def test_a_registry_that_is_gone_leaves_the_last_good_one_in_force(client: Any, registry: Registry) -> None:
    wait_for(client, "1")
    registry.path.unlink()
    assert [served_version(client) for _ in range(6)] == ["1"] * 6


def test_a_release_whose_folder_is_broken_is_unavailable_and_the_others_are_served(
    client: Any, registry: Registry, triton: RunningTriton
) -> None:
    (triton.model_repository / "classifier_2" / "1" / "labels.json").write_text("[")
    assert refused(client, "2") == ("StatusCode.UNAVAILABLE", "The release cannot be served.")
    assert served_version(client) == "1"


def test_a_folder_of_another_release_is_not_served_under_this_ones_name(
    client: Any, registry: Registry, triton: RunningTriton
) -> None:
    write_release(triton.model_repository / "classifier_2" / "1", "7")
    assert refused(client, "2") == ("StatusCode.UNAVAILABLE", "The release cannot be served.")


def test_a_fault_of_ours_is_told_without_its_traceback_and_logged(
    client: Any, registry: Registry, triton: RunningTriton
) -> None:
    write_release(triton.model_repository / "classifier_2" / "1", "2", labels=[*LABELS, "Fig___one_too_many"])
    assert refused(client, "2") == ("StatusCode.INTERNAL", "The diagnosis failed; the log says why.")
    assert logged(triton, "LogitsError")


def logged(triton: RunningTriton, text: str) -> bool:
    """Whether the log names it, within ten seconds: Triton writes what a Python model logs after answering."""
    patience = time.monotonic() + 10
    while text not in triton.log.read_text():
        if time.monotonic() > patience:
            return False
        time.sleep(0.05)
    return True


def refused(client: Any, version: str) -> tuple[str, str]:
    with pytest.raises(InferenceServerException) as error:
        ask(client, [DARK], version=version)
    return str(error.value.status()), str(error.value.message())
