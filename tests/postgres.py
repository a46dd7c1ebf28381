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
    directory = Path(tempfile.mkdtemp(prefix="onoffice-pg-"))
    account = {}
    if os.geteuid() == 0:
        owner = pwd.getpwnam(USER)
        os.chown(directory, owner.pw_uid, owner.pw_gid)
        account = {"user": owner.pw_uid, "group": owner.pw_gid}
    run = {"check": True, "cwd": directory, "stdout": subprocess.DEVNULL, **account}
    data = directory / "data"
    subprocess.run([programs / "initdb", "-D", data, "-U", "onoffice", "--auth=trust", "--encoding=UTF8", "--locale=C"], **run)
    options = f"-k {directory} -c listen_addresses='' -c max_connections=300 -c fsync=off"
    subprocess.run([programs / "pg_ctl", "-D", data, "-w", "-l", directory / "log", "-o", options, "start"], **run)
    try:
        yield str(directory)
    finally:
        subprocess.run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **run)
        shutil.rmtree(directory, ignore_errors=True)
