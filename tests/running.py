"""A server as administrators run it: the command, a configuration file, a port."""

from __future__ import annotations

import copy
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from radicale_onoffice import manual, wiring
from radicale_onoffice.core.model import Identity, Tenant, User
from radicale_onoffice.core.office import Office
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.crm.onoffice import tenants
from radicale_onoffice.crm.onoffice.tenants import Access
from radicale_onoffice.stores.sql import open_store
from tests.emulator import SECRET, TOKEN, Emulator

PATIENCE = 180  # seconds that a server may take to answer on a busy machine


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Running:
    """A server in a directory of its own; its users have the password "secret"."""

    def __init__(self, directory: Path, database: str, users: tuple[str, ...] = ("anna",)):
        self.directory, self.database, self.users, self.port = directory, database, users, free_port()
        self.config = directory / "radicale.config"
        text = manual.sample().replace("sqlite:////var/lib/radicale-onoffice/office.db", database)
        self.config.write_text(text.replace("onoffice_tenant = default", "onoffice_tenant = t").replace("level = info", "level = warning"))
        with self._office() as office:
            with office.store.writing() as tx:
                tx.save_tenant(Tenant(name="t"))
            for user in users:
                office.accounts.save_user(User(identity=Identity("t", user)), "secret", "test")
        self.process: subprocess.Popen[bytes] | None = None
        self.context: ssl.SSLContext | None = None

    def connect(self, emulator: Emulator, url: str, poll_seconds: int = 60, *, by_command: bool = False) -> None:
        """Make onOffice, which this emulator plays under this URL, the CRM of our tenant; our users are in it."""
        for user in self.users:
            emulator.control.add_user(user)
        config = self.config.read_text().replace("onoffice_crm = embedded", "onoffice_crm = onoffice")
        self.config.write_text(config.replace("onoffice_poll_seconds = 60", f"onoffice_poll_seconds = {poll_seconds}"))
        places = {"token": self.directory / "token", "secret": self.directory / "secret"}
        places["token"].write_text(TOKEN)
        places["secret"].write_text(SECRET)
        if by_command:
            words = [word for name, path in places.items() for word in (f"--{name}-file", str(path))]
            self.command("tenant", "connect", "t", "--url", f"{url}/api/stable/api.php", *words)
            return
        access = Access(url=f"{url}/api/stable/api.php", **{f"{name}_at": f"file:{path}" for name, path in places.items()})
        with self._office() as office, office.store.writing() as tx:
            tenants.save_access(tx, "t", access)

    @contextmanager
    def _office(self) -> Iterator[Office]:
        """What commands would do to a new database, without a process for each."""
        store = open_store(self.database)
        store.migrate()
        yield wiring.assemble(store, policy=Policy(), default_tenant="t")
        store.close()

    @property
    def url(self) -> str:
        return f"http{'s' if self.context else ''}://127.0.0.1:{self.port}"

    def command(self, *words: str, stdin: str = "", status: int = 0) -> str:
        """Run an administrator's command against the same configuration."""
        program = [sys.executable, "-m", "radicale_onoffice", *words, "--config", str(self.config)]
        done = subprocess.run(program, input=stdin, capture_output=True, text=True, check=False)
        assert status == done.returncode, done.stdout + done.stderr
        return done.stdout

    def start(self, *words: str, serve: tuple[str, ...] = ("radicale_onoffice", "serve")) -> None:
        """Serve with further options, and wait for the first answer. ``serve`` names the module that serves, and its command."""
        log = (self.directory / "server.log").open("ab")
        program = [sys.executable, "-m", *serve, "--config", str(self.config), "--port", str(self.port), *words]
        self.process = subprocess.Popen(program, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"{self.url}/healthz", timeout=5, context=self.context).close()
                return
            except (urllib.error.URLError, OSError):
                assert self.process.poll() is None, (self.directory / "server.log").read_text()
                time.sleep(0.05)
        raise AssertionError("The server did not answer.")

    def beside(self, *words: str, serve: tuple[str, ...]) -> Running:
        """Another process over the same configuration and database, on a port of its own."""
        other = copy.copy(self)
        other.port, other.process = free_port(), None
        other.start(*words, serve=serve)
        return other

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)
