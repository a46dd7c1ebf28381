"""A PostgreSQL cluster of the tests' own: temporary, on a Unix socket, as a user who is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "postgres"  # Debian's package makes this account; initdb refuses to run as root
MEMORY = Path("/dev/shm")  # databases are made and dropped by the hundred: on a busy disk each of them waits
ENOUGH = 2 << 30  # bytes; containers have a few megabytes there
# What is lost with the machine is no loss, and a vacuum of databases that live for a second is none either
SETTINGS = (
    "listen_addresses=''",
    "max_connections=300",
    "fsync=off",
    "full_page_writes=off",
    "autovacuum=off",
    "wal_level=minimal",
    "max_wal_senders=0",
)


def binaries() -> Path | None:
    """The directory of the newest installed server, None without one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


@contextmanager
def cluster() -> Iterator[str]:
    """A running cluster; yields the directory of its socket."""
    programs = binaries()
    assert programs is not None
    in_memory = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH
    directory = Path(tempfile.mkdtemp(prefix="onoffice-pg-", dir=MEMORY if in_memory else None))
    account = {}
    if os.geteuid() == 0:
        owner = pwd.getpwnam(USER)
        os.chown(directory, owner.pw_uid, owner.pw_gid)
        account = {"user": owner.pw_uid, "group": owner.pw_gid}
    run = {"check": True, "cwd": directory, "stdout": subprocess.DEVNULL, **account}
    data = directory / "data"
    subprocess.run([programs / "initdb", "-D", data, "-U", "onoffice", "--auth=trust", "--encoding=UTF8", "--locale=C"], **run)
    options = " ".join((f"-k {directory}", *(f"-c {setting}" for setting in SETTINGS)))
    subprocess.run([programs / "pg_ctl", "-D", data, "-w", "-l", directory / "log", "-o", options, "start"], **run)
    try:
        yield str(directory)
    finally:
        subprocess.run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **run)
        shutil.rmtree(directory, ignore_errors=True)
