"""The storage of compose.yaml, started by its own command: its bucket is made once, and S3 is all that others reach."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stack import compose
from stack.paths import StatePaths
from tests.images.test_compose import EVERY

# Everything in a network of its own, so that the ports are those of the file.
SCRIPT = """
ip addr add 10.77.0.1/32 dev lo
weed -logtostderr=true "$@" >/tmp/log 2>&1 &
for turn in $(seq 100); do {health} && break; sleep 0.2; done
{health} || {{ tail -20 /tmp/log; exit 3; }}
sh -ec "$BUCKET" && sh -ec "$BUCKET"
echo s3.bucket.list | weed shell -master=127.0.0.1:9333 -filer=127.0.0.1:8888
echo listening
cat /proc/net/tcp /proc/net/tcp6
"""
LISTEN = "0A"
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}  # each word in this machine's order


def open_to_others(table: str) -> set[int]:
    """Ports of /proc/net/tcp and tcp6 that are listened on beyond the loopback interface."""
    rows = [line.split() for line in table.splitlines() if ":" in line]
    found = [row[1].split(":") for row in rows if row[3] == LISTEN]
    return {int(port, 16) for address, port in found if address not in LOOPBACK}


def test_it_starts_and_its_bucket_can_be_asked_for_again(tmp_path: Path) -> None:
    weed, bwrap = Path(sys.executable).with_name("weed"), shutil.which("bwrap")
    if bwrap is None or not weed.exists():
        pytest.skip("it needs bubblewrap (.ci/run installs it) and SeaweedFS")
    compose.prepare(StatePaths(tmp_path))
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n10.77.0.1 storage\n")
    (tmp_path / "data").mkdir()
    health = " ".join(EVERY["storage"]["healthcheck"]["test"][1:])
    (bucket,) = EVERY["bucket"]["command"]
    sandbox = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run"]
    sandbox += ["--ro-bind", str(weed), "/tmp/bin/weed", "--bind", str(tmp_path / "data"), "/tmp/data"]
    sandbox += ["--ro-bind", str(tmp_path / "keys"), "/run/secrets", "--ro-bind", str(tmp_path / "hosts"), "/etc/hosts"]
    sandbox += [
        "--setenv",
        "PATH",
        "/tmp/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "--setenv",
        "BUCKET",
        bucket.replace("$$", "$"),
    ]
    sandbox += ["--unshare-net", "--unshare-pid", "--die-with-parent", "--cap-add", "CAP_NET_ADMIN"]
    command = [each.replace("/data", "/tmp/data") for each in EVERY["storage"]["command"]]
    done = subprocess.run(
        [bwrap, *sandbox, "sh", "-c", SCRIPT.format(health=health), "sh", *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    buckets, _, table = done.stdout.rpartition("listening\n")
    assert compose.BUCKET in buckets
    assert open_to_others(table) == {8333, 18333}  # S3, and its calls over gRPC, which cannot be switched off
