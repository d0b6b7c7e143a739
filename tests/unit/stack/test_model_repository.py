"""The working copy of the model repository."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.errors import StackError
from stack.model_repository import active_model, synchronise
from stack.trees import digest

# model → relative file → content
Tree = dict[str, dict[str, bytes]]
names = st.sampled_from(["classifier", "diagnose", "classifier_2", "extra"])
files = st.dictionaries(
    st.sampled_from(["config.pbtxt", "1/model.onnx", "1/labels.json"]), st.binary(max_size=20), min_size=1
)
trees = st.dictionaries(names, files, max_size=4)

SHIPPED = {"active": "1", "previous": None, "releases": {"1": "classifier"}}


def write(folder: Path, tree: Mapping[str, Mapping[str, bytes]], registry: Mapping[str, object] | None) -> Path:
    folder.mkdir()
    for model, contents in tree.items():
        for name, content in contents.items():
            file = folder / model / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    if registry is not None:
        (folder / "releases.json").write_text(json.dumps(registry))
    return folder


def read(folder: Path) -> Tree:
    found: Tree = {}
    for file in folder.rglob("*"):
        if file.is_file() and file.parent != folder:
            model, _, name = file.relative_to(folder).as_posix().partition("/")
            found.setdefault(model, {})[name] = file.read_bytes()
    return found


@settings(max_examples=30)  # each writes to the disk
@given(shipped=trees, working=trees)
def test_shipped_models_become_as_shipped_and_all_others_stay(shipped: Tree, working: Tree) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = write(Path(folder) / "shipped", shipped, SHIPPED)
        target = write(Path(folder) / "working", working, None)
        replaced = synchronise(source, target)
        assert read(target) == {**working, **shipped}
        assert replaced == sorted(name for name in shipped if shipped[name] != working.get(name))
        assert synchronise(source, target) == []


@given(first=files, second=files)
def test_two_models_have_one_digest_only_when_they_are_equal(first: dict[str, bytes], second: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder) / "models", {"first": first, "second": second}, None)
        assert (digest(root / "first") == digest(root / "second")) == (first == second)


def test_the_traffic_switch_and_added_releases_stay(tmp_path: Path) -> None:
    promoted = {"active": "2", "previous": "1", "releases": {"1": "classifier", "2": "classifier_2"}}
    source = write(tmp_path / "shipped", {"classifier": {"config.pbtxt": b"new"}}, SHIPPED)
    target = write(tmp_path / "working", {"classifier_2": {"config.pbtxt": b"added"}}, promoted)
    synchronise(source, target)
    assert json.loads((target / "releases.json").read_text()) == promoted
    assert active_model(target) == ("2", "classifier_2")


def test_a_release_that_is_shipped_later_is_listed_and_not_promoted(tmp_path: Path) -> None:
    newer = {**SHIPPED, "active": "1.1", "releases": {"1": "classifier", "1.1": "classifier_1_1"}}
    source = write(tmp_path / "shipped", {}, newer)
    target = write(tmp_path / "working", {}, SHIPPED)
    synchronise(source, target)
    registry = json.loads((target / "releases.json").read_text())
    assert registry == {**SHIPPED, "releases": newer["releases"]}


def test_a_release_that_the_user_removed_is_not_listed_again(tmp_path: Path) -> None:
    removed = {"active": "2", "previous": None, "releases": {"2": "classifier_2"}, "removed": ["1"]}
    source = write(tmp_path / "shipped", {}, SHIPPED)
    target = write(tmp_path / "working", {}, removed)
    synchronise(source, target)
    assert json.loads((target / "releases.json").read_text()) == removed


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"active": "9", "releases": {"1": "classifier"}}'])
def test_a_damaged_registry_is_named_and_not_overwritten(tmp_path: Path, content: str) -> None:
    source = write(tmp_path / "shipped", {}, SHIPPED)
    target = write(tmp_path / "working", {}, None)
    (target / "releases.json").write_text(content)
    with pytest.raises(StackError, match=r"releases\.json is damaged"):
        synchronise(source, target)
    assert (target / "releases.json").read_text() == content


def test_a_registry_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"releases\.json is not there"):
        active_model(tmp_path)


def test_python_caches_do_not_count_as_a_change(tmp_path: Path) -> None:
    source = write(tmp_path / "shipped", {"diagnose": {"1/model.py": b"pass"}}, SHIPPED)
    target = tmp_path / "working"
    synchronise(source, target)
    cache = target / "diagnose" / "1" / "__pycache__"
    cache.mkdir()
    (cache / "model.pyc").touch()
    assert synchronise(source, target) == []
