"""What of a photo leaves the browser: its pixels and which way up it is, and nothing of the person who took it."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, expect

from frond.policy.photos import Photo, PhotoPolicy, prepare
from preprocess.tensor import Preprocessing, to_tensor
from tests.unit.preprocess.photos import draw_corners, encode, insert_jpeg_segment, jpeg_segment
from tests.unit.sdk.test_photos import SECRET, XMP, exif_with_place, photo_with_place

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Playwright's own

SMALL = Preprocessing(64)
UNSCALED = PhotoPolicy(max_bytes=20_000_000)
PHOTOS = {
    "upright.jpg": photo_with_place("JPEG"),
    "turned.jpg": photo_with_place("JPEG", 6),
    "progressive.jpg": encode(draw_corners(96), "JPEG", progressive=True, exif=exif_with_place(3), comment=SECRET),
    "xmp-and-video.jpg": insert_jpeg_segment(
        photo_with_place("JPEG", 8), jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)
    )
    + b"\0\0\0\x18ftypmp42"
    + SECRET,
    "turned.png": photo_with_place("PNG", 5),
    "turned.webp": photo_with_place("WEBP", 7),
    "phone.heic": photo_with_place("HEIF"),
    "live.heic": photo_with_place("HEIF") + b"\0\0\0\x19mpvd" + SECRET + b"more",
}


def choose(page: Page, photos: dict[str, bytes]) -> None:
    files = [FilePayload(name=name, mimeType="", buffer=content) for name, content in photos.items()]
    page.set_input_files("#files", files)


def test_no_place_arrives_and_the_model_sees_the_same(page: Page, address: str) -> None:
    """What arrived is told by its hash, and what has this hash by the SDK, which cleans photos to the same bytes."""
    page.goto(address)
    choose(page, PHOTOS)
    page.get_by_role("button", name="Diagnose").click()
    expect(page.locator(".each > li")).to_have_count(len(PHOTOS))
    page.get_by_text("The answer as it came").click()
    arrived = [image["sha256"] for image in json.loads(page.locator("#answer pre").inner_text())["result"]["images"]]
    for sha256, (name, original) in zip(arrived, PHOTOS.items(), strict=True):
        cleaned = prepare(original, UNSCALED)
        assert isinstance(cleaned, Photo)
        assert hashlib.sha256(cleaned.content).hexdigest() == sha256, name
        assert SECRET in original
        assert SECRET not in cleaned.content
        assert np.array_equal(to_tensor(cleaned.content, SMALL), to_tensor(original, SMALL))


def test_a_photo_on_its_side_is_shown_upright(page: Page, url: str) -> None:
    """Of what will be sent, the corner that is up and left is the one that the camera's EXIF says."""
    page.goto(url)
    choose(page, {"turned.jpg": photo_with_place("JPEG", 6)})
    shot = page.locator("#photos img").screenshot()
    with Image.open(io.BytesIO(shot)) as image:
        corner = np.asarray(image.convert("RGB"))[image.height // 4, image.width // 4]
    assert np.allclose(corner, (40, 60, 210), atol=25)  # a quarter turn to the right puts bottom left there


def test_a_heic_that_hides_where_its_metadata_is_is_not_sent(page: Page, url: str) -> None:
    broken = photo_with_place("HEIF").replace(b"iloc", b"free")
    page.goto(url)
    choose(page, {"broken.heic": broken})
    expect(page.locator("#left-out")).to_contain_text("broken.heic is left out: it cannot be read in full")
    expect(page.locator("#photos li")).to_have_count(0)
