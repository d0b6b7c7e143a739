"""Where the photos are that are no part of the repository: training data and field photos, used where present."""

from __future__ import annotations

from pathlib import Path

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
FIELD_PHOTOS = sorted(SHARED_DATA.glob("field/*/*.jpg"))
NO_FIELD_PHOTOS = "the field photos (../shared/data/field) are not on this machine"
NO_SHARED_DATA = "the photos (../shared/data) are not on this machine"
