"""Adding, promoting, rolling back and removing releases in a repository, whatever happens in between."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from preprocess.release import read_release
from training.importer import lifecycle, registry
from training.importer.errors import (
    InvalidLabelsError,
    InvalidModelError,
    InvalidOptionError,
    RepositoryError,
    ServerError,
    UnknownReleaseError,
)
from training.importer.server import Server
from training.importer.wrapping import IMAGENET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from training.importer.release import Candidate


class FakeServer(Server):
    """Loads what it is told to, unless that is in `broken`; answers every trial of a loaded model."""

    def __init__(self, repository: Path, broken: tuple[str, ...] = ()) -> None:
        self.repository = repository
        self.broken = broken
        self.loaded = {"classifier"}
        self.tried: list[str] = []

    def is_live(self) -> bool:
        return True

    def is_ready(self, model: str) -> bool:
        return model in self.loaded

    def load(self, model: str) -> None:
        if model in self.broken:
            raise ServerError(f"Triton did not load {model}: out of memory")
        assert (self.repository / model / "config.pbtxt").exists()
        self.loaded.add(model)

    def unload(self, model: str) -> None:
        self.loaded.discard(model)

    def try_diagnosis(self, version: str) -> None:
        self.tried.append(version)


def models(repository: Path) -> set[str]:
    """What Triton would take for models, and whatever else lies about near the repository."""
    leftovers = repository.with_name("model_repository.building")
    beside = {path.name for path in leftovers.iterdir()} if leftovers.exists() else set()
    return {path.name for path in repository.iterdir() if path.is_dir()} | beside


def test_the_next_release_gets_the_next_number(repository: Path, candidate: Candidate) -> None:
    assert [lifecycle.add(repository, candidate) for _ in range(2)] == ["2", "3"]
    assert registry.read(repository).releases == {"1": "classifier", "2": "classifier_2", "3": "classifier_3"}


def test_an_added_release_is_complete_and_has_no_traffic(repository: Path, candidate: Candidate) -> None:
    said: list[str] = []
    version = lifecycle.add(repository, candidate, report=said.append)
    folder = repository / "classifier_2"
    release = read_release(folder / "1")
    assert (release.version, release.preprocessing.size, len(release.labels)) == (version, 32, 3)
    assert (release.calibration.temperature, release.calibration.calibration_error) == (1.0, None)
    assert release.background == 2
    assert release.calibration.abstention.leaf_log_odds_threshold is None
    assert release.calibration.abstention.leaf_energy_threshold is None
    assert registry.read(repository).active == "1"
    assert any("made dynamic" in line for line in said)
    assert json.loads((folder / "1" / "source.json").read_text())["file"] == "tiny.onnx"


@pytest.mark.parametrize("name", ["config.pbtxt", "configs/gpu.pbtxt"])
def test_the_configuration_is_the_shipped_one_with_other_dimensions(
    repository: Path, candidate: Candidate, name: str
) -> None:
    lifecycle.add(repository, candidate)
    shipped = (repository / "classifier" / name).read_text()
    derived = (repository / "classifier_2" / name).read_text()
    assert "224" not in derived
    assert "dims: 32" in derived
    assert shipped.count("224x224x3") == derived.count("32x32x3")
    for setting in ("max_batch_size: 64", "allow_timeout_override: true", 'backend: "onnxruntime"'):
        assert setting in shipped
        assert setting in derived


def test_a_release_can_be_given_a_name(repository: Path, candidate: Candidate) -> None:
    assert lifecycle.add(repository, candidate, version="resnet-50") == "resnet-50"
    assert registry.read(repository).model("resnet-50") == "classifier_resnet-50"
    assert lifecycle.add(repository, candidate) == "2"


@pytest.mark.parametrize("name", ["1", "../x", "a b", "", ".hidden", "a" * 33, "é"])
def test_a_name_that_is_taken_or_no_folder_name_is_refused(repository: Path, candidate: Candidate, name: str) -> None:
    with pytest.raises(InvalidOptionError):
        lifecycle.add(repository, candidate, version=name)
    assert models(repository) == {"classifier"}


def test_labels_must_be_as_many_as_the_classes(repository: Path, candidate: Candidate) -> None:
    candidate.labels.write_text("a\nb\n")
    with pytest.raises(InvalidLabelsError, match=r"has 3 classes, but labels\.txt has 2 labels"):
        lifecycle.add(repository, candidate)
    assert models(repository) == {"classifier"}


def test_a_bad_model_leaves_no_trace(repository: Path, candidate: Candidate) -> None:
    candidate.file.write_bytes(b"nothing")
    with pytest.raises(InvalidModelError):
        lifecycle.add(repository, candidate)
    assert models(repository) == {"classifier"}
    assert list(registry.read(repository).releases) == ["1"]


def test_a_background_label_can_be_named(repository: Path, candidate: Candidate) -> None:
    named = dataclasses.replace(candidate, background="Bean___rust")
    lifecycle.add(repository, named)
    assert read_release(repository / "classifier_2" / "1").background == 0
    with pytest.raises(InvalidOptionError, match="is no label"):
        lifecycle.add(repository, dataclasses.replace(candidate, background="soil"))


def test_a_normalisation_for_a_model_that_normalises_is_refused(repository: Path, candidate: Candidate) -> None:
    lifecycle.add(repository, candidate)
    served = repository / "classifier_2" / "1" / "model.onnx"
    with pytest.raises(InvalidOptionError, match="takes uint8"):
        lifecycle.add(repository, dataclasses.replace(candidate, file=served, normalisation=IMAGENET))
    assert lifecycle.add(repository, dataclasses.replace(candidate, file=served)) == "3"


def test_calibration_gets_the_release_folder_before_it_is_published(repository: Path, candidate: Candidate) -> None:
    seen: list[Path] = []

    def calibrate(folder: Path) -> None:
        assert read_release(folder).version == "2"
        assert models(repository) == {"classifier", "classifier_2"}  # the second one is beside the repository
        assert not (repository / "classifier_2").exists()
        seen.append(folder)

    lifecycle.add(repository, candidate, calibrate=calibrate)
    assert len(seen) == 1


def test_a_release_that_triton_does_not_load_is_taken_back(repository: Path, candidate: Candidate) -> None:
    server = FakeServer(repository, broken=("classifier_2",))
    with pytest.raises(ServerError, match="out of memory"):
        lifecycle.add(repository, candidate, server=server)
    assert models(repository) == {"classifier"}
    assert list(registry.read(repository).releases) == ["1"]


def test_promoting_tries_the_release_and_remembers_the_one_before(repository: Path, candidate: Candidate) -> None:
    server = FakeServer(repository)
    lifecycle.add(repository, candidate, server=server)
    assert lifecycle.promote(repository, "2", server)
    assert server.tried == ["2"]
    found = registry.read(repository)
    assert (found.active, found.previous) == ("2", "1")
    assert not lifecycle.promote(repository, "2", server)
    assert registry.read(repository) == found


def test_promoting_loads_a_release_that_was_added_without_triton(repository: Path, candidate: Candidate) -> None:
    lifecycle.add(repository, candidate)
    server = FakeServer(repository)
    lifecycle.promote(repository, "2", server)
    assert "classifier_2" in server.loaded


def test_a_release_that_fails_its_trial_gets_no_traffic(repository: Path, candidate: Candidate) -> None:
    lifecycle.add(repository, candidate)
    with pytest.raises(ServerError):
        lifecycle.promote(repository, "2", FakeServer(repository, broken=("classifier_2",)))
    assert registry.read(repository).active == "1"


def test_promoting_an_unknown_release_names_the_known_ones(repository: Path) -> None:
    with pytest.raises(UnknownReleaseError, match="no release '7'; there are 1"):
        lifecycle.promote(repository, "7", FakeServer(repository))


@pytest.mark.parametrize("is_running", [True, False])
def test_rolling_back_goes_to_the_previous_release_once(
    repository: Path, candidate: Candidate, *, is_running: bool
) -> None:
    server = FakeServer(repository)
    lifecycle.add(repository, candidate, server=server)
    lifecycle.promote(repository, "2", server)
    assert lifecycle.roll_back(repository, server if is_running else None) == "1"
    found = registry.read(repository)
    assert (found.active, found.previous) == ("1", None)
    with pytest.raises(UnknownReleaseError, match="no previous release"):
        lifecycle.roll_back(repository, server)


def test_a_removed_release_is_gone_and_its_version_is_not_given_again(repository: Path, candidate: Candidate) -> None:
    server = FakeServer(repository)
    lifecycle.add(repository, candidate, server=server)
    lifecycle.remove(repository, "2", server)
    assert models(repository) == {"classifier"}
    assert server.loaded == {"classifier"}
    assert lifecycle.add(repository, candidate, server=server) == "3"
    with pytest.raises(InvalidOptionError, match="was removed"):
        lifecycle.add(repository, candidate, version="2")


def test_a_release_with_traffic_or_to_go_back_to_or_shipped_cannot_be_removed(
    repository: Path, candidate: Candidate
) -> None:
    server = FakeServer(repository)
    for _ in range(2):
        lifecycle.promote(repository, lifecycle.add(repository, candidate, server=server), server)
    for version, reason in {"3": "is active", "2": "rollback", "1": "shipped"}.items():
        with pytest.raises(InvalidOptionError, match=reason):
            lifecycle.remove(repository, version, server)


def test_the_list_shows_each_release_and_what_is_wrong_with_one(repository: Path, candidate: Candidate) -> None:
    server = FakeServer(repository)
    lifecycle.add(repository, candidate, server=server)
    lifecycle.promote(repository, "2", server)
    (repository / "classifier" / "1" / "labels.json").write_text("[]")
    first, second = lifecycle.list_releases(repository, server)
    assert (first.role, first.release, first.source) == ("previous", None, None)
    assert "labels.json" in (first.problem or "")
    assert (second.role, second.source, second.is_ready, second.problem) == ("active", "tiny.onnx", True, None)
    assert lifecycle.list_releases(repository)[1].is_ready is None


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"active": "9", "releases": {"1": "classifier"}}', '{"active": "1", "releases": {"1": 2}}'],
)
def test_a_damaged_registry_is_reported_and_not_overwritten(
    repository: Path, candidate: Candidate, content: str
) -> None:
    (repository / "releases.json").write_text(content)
    with pytest.raises(RepositoryError, match="damaged"):
        lifecycle.add(repository, candidate)
    assert (repository / "releases.json").read_text() == content


def test_a_folder_without_a_registry_is_no_repository(tmp_path: Path, candidate: Candidate) -> None:
    with pytest.raises(RepositoryError, match="is no model repository"):
        lifecycle.list_releases(tmp_path)


def test_a_registry_in_use_is_waited_for_and_then_reported(repository: Path) -> None:
    with (
        registry.locked(repository),
        pytest.raises(RepositoryError, match="Another"),
        registry.locked(repository, wait_seconds=0.1),
    ):
        pass


def test_several_additions_at_once_get_versions_of_their_own(repository: Path, candidate: Candidate) -> None:
    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(lambda _: lifecycle.add(repository, candidate), range(4)))
    assert sorted(versions) == ["2", "3", "4", "5"]
    assert sorted(registry.read(repository).releases) == ["1", "2", "3", "4", "5"]


def in_another_process(work: Callable[..., None], *arguments: object) -> int | None:
    """Run it in a process of its own; returns the exit code, negative for a signal."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Killer(FakeServer):
    def load(self, model: str) -> None:
        die(model)


def add_and_die_while_calibrating(repository: Path, candidate: Candidate) -> None:
    lifecycle.add(repository, candidate, calibrate=die)


def add_and_die_while_loading(repository: Path, candidate: Candidate) -> None:
    lifecycle.add(repository, candidate, server=Killer(repository))


@pytest.mark.parametrize("work", [add_and_die_while_calibrating, add_and_die_while_loading])
def test_what_a_killed_addition_leaves_is_whole_and_the_next_one_clears_it_away(
    repository: Path, candidate: Candidate, work: Callable[..., None]
) -> None:
    assert in_another_process(work, repository, candidate) == -signal.SIGKILL
    assert models(repository) == {"classifier", "classifier_2"}
    for folder in repository.glob("classifier_*"):  # what Triton would find at its next start
        assert (folder / "config.pbtxt").exists()
        assert read_release(folder / "1").version == "2"
    server = FakeServer(repository)
    server.loaded |= {folder.name for folder in repository.glob("classifier_*")}
    assert lifecycle.add(repository, candidate, version="next", server=server) == "next"
    assert models(repository) == {"classifier", "classifier_next"}
    assert server.loaded == {"classifier", "classifier_next"}
    assert list(registry.read(repository).releases) == ["1", "next"]


def test_a_folder_that_somebody_made_by_hand_is_not_cleared_away(repository: Path, candidate: Candidate) -> None:
    (repository / "classifier_mine").mkdir()
    lifecycle.add(repository, candidate)
    assert (repository / "classifier_mine").exists()
    with pytest.raises(InvalidOptionError, match="already"):
        lifecycle.add(repository, candidate, version="mine")


def add_on_a_full_disk(repository: Path, candidate: Candidate) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # the model is larger, its registry is not
    with pytest.raises(OSError, match="File too large"):
        lifecycle.add(repository, candidate)


def test_a_full_disk_leaves_the_repository_as_it_was(repository: Path, candidate: Candidate) -> None:
    assert in_another_process(add_on_a_full_disk, repository, candidate) == 0
    assert models(repository) == {"classifier"}
    assert list(registry.read(repository).releases) == ["1"]


def register_on_a_full_disk(repository: Path) -> None:
    found = registry.read(repository)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
    with registry.locked(repository), pytest.raises(OSError, match="File too large"):
        registry.replace(repository, found)


def test_a_registry_that_cannot_be_written_keeps_its_content(repository: Path) -> None:
    before = (repository / "releases.json").read_bytes()
    assert in_another_process(register_on_a_full_disk, repository) == 0
    assert (repository / "releases.json").read_bytes() == before
    assert {path.name for path in repository.iterdir()} == {"classifier", "releases.json", "releases.lock"}
