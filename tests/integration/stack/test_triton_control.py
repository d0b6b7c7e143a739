"""Who may change a Triton of the local runtime over HTTP."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import httpx2
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunningTriton

MODEL = {"name": "planted", "backend": "python", "input": [], "output": []}
CODE = "class TritonPythonModel:\n    def initialize(self, args):\n        open({file!r}, 'w').close()\n"


@pytest.mark.parametrize("path", ["repository/models/planted/load", "logging", "trace/setting", "repository/index"])
def test_a_web_page_in_the_users_browser_cannot_make_triton_run_or_write_anything(
    triton: RunningTriton, tmp_path: Path, path: str
) -> None:
    """What a page may send to any address without asking: a POST of text."""
    planted = tmp_path / "planted"
    code = base64.b64encode(CODE.format(file=str(planted)).encode()).decode()
    bodies = {
        "repository/models/planted/load": {"parameters": {"config": json.dumps(MODEL), "file:1/model.py": code}},
        "logging": {"log_file": str(planted)},
        "trace/setting": {"trace_file": str(planted)},
    }
    with httpx2.Client(base_url=f"http://{triton.http}/v2/", trust_env=False) as client:
        response = client.post(path, content=json.dumps(bodies.get(path, {})), headers={"Content-Type": "text/plain"})
    assert not planted.exists()
    assert response.status_code == httpx2.codes.FORBIDDEN
