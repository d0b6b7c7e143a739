"""`frond model` at the terminal, with no Triton running: what it says, and with which exit status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from cli.failure import Failure
from cli.model import app
from preprocess.release import read_release
from training.importer import registry

if TYPE_CHECKING:
    from pathlib import Path

    from training.importer.release import Candidate


@pytest.fixture
def runtime(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of a local runtime that has run and is down; returns its model repository."""
    monkeypatch.setenv("FROND_STATE_DIR", str(repository.parent))
    monkeypatch.setenv("COLUMNS", "200")
    return repository


def frond_model(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def said(*arguments: object) -> str:
    result = frond_model(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def failure(*arguments: object) -> str:
    result = frond_model(*arguments)
    assert isinstance(result.exception, Failure), result.output
    return str(result.exception)


def add(candidate: Candidate, *options: object) -> tuple[object, ...]:
    return ("add", candidate.file, "--labels", candidate.labels, "--size", 32, *options)


def test_adding_without_triton_says_when_the_release_is_loaded(runtime: Path, candidate: Candidate) -> None:
    output = said(*add(candidate))
    assert "Not calibrated: temperature 1" in output
    assert "Release 2 will be loaded when Triton starts (it is not running now)" in output
    assert "frond model promote 2" in output
    assert list(registry.read(runtime).releases) == ["1", "2"]


def test_the_options_of_preprocessing_reach_the_release(runtime: Path, candidate: Candidate) -> None:
    said(*add(candidate, "--crop-fraction", 0.875, "--interpolation", "bilinear", "--version", "mine"))
    found = read_release(runtime / "classifier_mine" / "1").preprocessing
    assert (found.size, found.crop_fraction, found.interpolation) == (32, 0.875, "bilinear")


def test_named_and_numbered_normalisation_give_the_same_graph(runtime: Path, candidate: Candidate) -> None:
    said(*add(candidate, "--normalisation", "-1..1"))
    said(*add(candidate, "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5"))
    said(*add(candidate))
    first, second, third = (runtime / f"classifier_{n}" / "1" / "model.onnx" for n in (2, 3, 4))
    assert first.read_bytes() == second.read_bytes() != third.read_bytes()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--mean", "0.5,0.5,0.5"], "Give --mean together with --std"),
        (["--mean", "0,0,0", "--std", "1,1,1", "--normalisation", "0..1"], "without --normalisation"),
        (["--mean", "0.5", "--std", "0.5"], "--mean is '0.5'; expected three numbers"),
        (["--mean", "0,0,nan", "--std", "1,1,1"], "--mean is '0,0,nan'; expected three numbers"),
        (["--mean", "0,0,0", "--std", "1,0,1"], "--std is '1,0,1'; every number must be above 0"),
        (["--size", "8"], "size is 8; it must be between 16 and 2048 pixels"),
        (["--size", "64"], "is 32 by 32 pixels, but --size says 64"),
        (["--crop-fraction", "2"], "crop_fraction is 2.0"),
        (["--background", "soil"], "'soil' is no label"),
        (["--triton", "127.0.0.1:1"], "No Triton answers at 127.0.0.1:1"),
        (["--repository", "/nowhere"], "no model repository at /nowhere"),
        (["--calibrate", "/nowhere"], "/nowhere"),
    ],
)
def test_options_that_cannot_be_meant_end_in_one_sentence(
    runtime: Path, candidate: Candidate, options: list[str], reason: str
) -> None:
    message = failure(*add(candidate, *options))
    assert reason in message
    assert "\n" not in message
    assert list(registry.read(runtime).releases) == ["1"]


def test_listing_shows_releases_as_a_table_and_as_json(runtime: Path, candidate: Candidate) -> None:
    said(*add(candidate))
    table = said("list")
    assert "active, Triton is down" in table
    assert "tiny.onnx" in table
    first, second = json.loads(said("list", "--json"))
    assert (first["version"], first["role"], first["ready"]) == ("1", "active", None)
    expected = {"version": "2", "model": "classifier_2", "source": "tiny.onnx", "size": 32, "classes": 3, "role": None}
    assert second.items() >= expected.items()


@pytest.mark.parametrize("content", ["", "{}", "[]", '"file"', "null", "[" * 100_000, "\udcff"])
def test_a_release_whose_origin_cannot_be_read_is_listed_as_damaged(
    runtime: Path, candidate: Candidate, content: str
) -> None:
    said(*add(candidate))
    (runtime / "classifier_2" / "1" / "source.json").write_bytes(content.encode(errors="surrogateescape"))
    table, listed = frond_model("list"), frond_model("list", "--json")
    assert (table.exit_code, listed.exit_code) == (1, 1)
    assert "source.json is damaged" in table.output
    shipped, second = json.loads(listed.output)
    assert (shipped["problem"], second["problem"]) == (None, "source.json is damaged")
    assert (second["source"], second["classes"]) == (None, 3)


def test_promoting_needs_triton_and_rolling_back_does_not(runtime: Path, candidate: Candidate) -> None:
    said(*add(candidate))
    assert "Triton is not running, so the release cannot be tried" in failure("promote", "2")
    assert "no previous release" in failure("rollback")
    with registry.locked(runtime) as found:
        registry.replace(runtime, registry.Registry("2", "1", found.releases))
    assert "Release 1 has the traffic again. Triton is not running, so it was not tried." in said("rollback")
    assert registry.read(runtime).active == "1"


def test_removing_frees_the_folder(runtime: Path, candidate: Candidate) -> None:
    said(*add(candidate))
    assert "Release 2 is removed." in said("remove", "2")
    assert not (runtime / "classifier_2").exists()
    assert "no release '2'" in failure("remove", "2")


def test_a_runtime_that_never_ran_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROND_STATE_DIR", str(tmp_path))
    assert "run `frond up` once" in failure("list")
