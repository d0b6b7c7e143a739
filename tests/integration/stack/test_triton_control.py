"""Who may change a Triton of the local runtime."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from collections.abc import Callable
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


def test_another_user_of_the_machine_cannot_over_grpc_either(triton: RunningTriton, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    files = {"file:1/model.py": CODE.format(file=str(planted)).encode()}
    with InferenceServerClient(triton.grpc) as client:
        attempts: list[Callable[[], Any]] = [
            lambda: client.load_model("planted", config=json.dumps(MODEL), files=files),
            lambda: client.unload_model("classifier"),
            lambda: client.update_log_settings({"log_file": str(planted)}),
            lambda: client.update_trace_settings(settings={"trace_file": str(planted)}),
            lambda: client.register_system_shared_memory("region", "/region", 1),
        ]
        for attempt in attempts:
            with pytest.raises(InferenceServerException, match="This protocol is restricted"):
                attempt()
        assert client.is_model_ready("classifier")
    assert not planted.exists()
