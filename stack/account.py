"""The account that PostgreSQL runs under: our own, or `nobody` when we are root, which it refuses."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

UNPRIVILEGED_NAME = "nobody"
UNPRIVILEGED_ID = 65534  # where the system has no such name, Linux still reserves the number
# The first can read and search where file modes say no, the second can write there too: what Docker leaves to its root.
PASSAGE_CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}
SET_SECURE_BITS = 8  # CAP_SETPCAP


@dataclass(frozen=True, slots=True)
class Account:
    """Who a program runs as; `privileges` are the options of setpriv that make it so."""

    uid: int
    gid: int
    privileges: tuple[str, ...] = ()

    @classmethod
    def ours(cls) -> Account:
        return cls(os.geteuid(), os.getegid())

    def own(self, path: Path) -> None:
        """Give the file or folder to this account."""
        if path.stat().st_uid != self.uid:
            os.chown(path, self.uid, self.gid)


def database_account() -> Account:
    """Ourselves; as root an unprivileged account that may pass through folders closed to it (/root, a `mktemp -d`)."""
    if os.geteuid() != 0:
        return Account.ours()
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_NAME)
        uid, gid = entry.pw_uid, entry.pw_gid
    except KeyError:
        uid = gid = UNPRIVILEGED_ID
    identity = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs")
    capability = passage_capability()
    passage = (f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}") if capability else ()
    # access(2), by which PostgreSQL's programs look for each other, otherwise ignores what an ordinary user may.
    keep = ("--securebits=+no_setuid_fixup",) if capability and _has(SET_SECURE_BITS) else ()
    return Account(uid, gid, (*identity, *keep, *passage))


def passage_capability() -> str | None:
    """The narrowest capability by which a process passes through any folder, of those that this root has."""
    return next((name for name, number in PASSAGE_CAPABILITIES.items() if _has(number)), None)


def _has(capability: int) -> bool:
    """Whether that bit is set in our effective capabilities (capabilities(7))."""
    status = Path("/proc/self/status").read_text()
    effective = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(effective & 1 << capability)
