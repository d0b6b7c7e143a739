"""`python -m stack.compose`: the secrets that compose.yaml mounts, made once, and the keys of tokens to try it with."""

from __future__ import annotations

import json
import os
from pathlib import Path

from stack import keys
from stack.atomic import write_atomically
from stack.paths import ROOT, StatePaths

# Each container has a user of its own and gets single files of a folder that nobody but the owner may enter.
READABLE = 0o644
BUCKET = "frond-photos"


def prepare(paths: StatePaths) -> None:
    """Make what is missing; what exists stays, since the volumes were made with it."""
    keys.prepare(paths)
    passwords = {name: keys.secret(paths, name) for name in ("database-owner", "database-gateway", "grafana-admin")}
    key_id, secret = keys.secret(paths, "s3-access-key-id"), keys.secret(paths, "s3-secret-access-key")
    derived = {
        "database-url": f"postgresql://frond_gateway:{passwords['database-gateway']}@postgres/frond",
        "migration-database-url": f"postgresql://postgres:{passwords['database-owner']}@postgres/frond",
        "s3-accounts.json": accounts(key_id, secret),
    }
    for name, content in derived.items():
        write_atomically(paths.keys / name, content.encode(), READABLE)
    for name in (*passwords, "s3-access-key-id", "s3-secret-access-key"):
        (paths.keys / name).chmod(READABLE)


def accounts(key_id: str, secret: str) -> str:
    """SeaweedFS's file of accounts: the gateway's may do with its bucket what it needs to, and nothing else."""
    credentials = [{"accessKey": key_id, "secretKey": secret}]
    actions = [f"{action}:{BUCKET}" for action in ("Read", "List", "Write")]
    return json.dumps({"identities": [{"name": "frond", "credentials": credentials, "actions": actions}]}, indent=2)


def main() -> None:
    paths = StatePaths(Path(os.environ.get("FROND_COMPOSE_DIR") or ROOT / ".compose").resolve())
    prepare(paths)
    print(
        f"The secrets lie in {paths.keys}. A token to try it with: FROND_STATE_DIR={paths.root} .venv/bin/frond token"
    )


if __name__ == "__main__":
    main()
