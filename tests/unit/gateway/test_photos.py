"""What a caller is told of a photo that is refused, and of which one."""

from __future__ import annotations

import pytest

from gateway.diagnoses.photos import inspect, naming
from gateway.errors import ImageNotUploadedError, StorageUnavailableError
from tests.gateways import png


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("image/jpeg", "image/jpeg"),
        ("text/html", "text/html"),
        ("image/\x00<b>", "another type"),
        ("x" * 900, "another type"),
    ],
)
def test_another_type_than_the_declared_one_names_both(declared: str, told: str) -> None:
    fault = inspect(png(), declared)
    assert fault is not None
    assert (fault.code, fault.message) == ("image_type_mismatch", f"The photo is image/png and was declared as {told}.")


@pytest.mark.parametrize("declared", ["image/png", None])
def test_the_declared_type_or_none_is_no_fault(declared: str | None) -> None:
    assert inspect(png(), declared) is None


def test_an_error_says_which_photo_it_is_about() -> None:
    with pytest.raises(ImageNotUploadedError, match=r"^images\[2\]: It was not uploaded\.$"), naming(2):
        raise ImageNotUploadedError("It was not uploaded.")


def test_a_storage_that_is_out_is_no_matter_of_one_photo() -> None:
    with pytest.raises(StorageUnavailableError, match=r"^Try again\.$"), naming(2):
        raise StorageUnavailableError("Try again.")
