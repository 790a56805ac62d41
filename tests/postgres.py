"""A real PostgreSQL server for a test, on a socket in a folder of its own, where Debian's package is installed."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


def _programs() -> Path | None:
    """Where ``initdb`` and ``postgres`` are: Debian puts them on no path."""
    folders = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which("initdb")
    folders += [Path(found).resolve().parent] if found else []
    return next((folder for folder in folders if (folder / "initdb").is_file()), None)


PROGRAMS = _programs()
needs_postgres = pytest.mark.skipif(PROGRAMS is None, reason="no PostgreSQL server here: apt-get install postgresql")


@dataclass
class Postgres:
    """A server in a folder; ``address`` is as the operator gives it in ``KRAVOVERSIKT_POSTGRES``."""

    folder: Path
    user: str

    @property
    def address(self) -> str:
        return f"postgresql+psycopg2://{self.user}@/postgres?host={self.folder}"

    def start(self) -> None:
        self._do("pg_ctl", "start", "--wait", "-s", "-l", str(self.folder / "log"), "-o", f"-k {self.folder} -h ''")

    def stop(self) -> None:
        """At once, as when the machine is gone."""
        self._do("pg_ctl", "stop", "-s", "-m", "immediate")

    def _do(self, program: str, *words: str) -> None:
        assert PROGRAMS is not None
        command = [PROGRAMS / program, "-D", self.folder / "data", *words]
        user = self.user if os.getuid() == 0 else None  # it will not run as root
        subprocess.run(command, check=True, user=user, cwd=self.folder, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def a_server() -> Iterator[Postgres]:
    """One that has just been made, without flushing to disk; stopped and removed at the end."""
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    with tempfile.TemporaryDirectory(prefix="kravoversikt-pg-") as name:  # a socket's path must be short
        server = Postgres(Path(name), user)
        if os.getuid() == 0:
            shutil.chown(name, user)
        server._do("initdb", "-U", user, "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8", "--no-instructions")
        with (server.folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write("fsync = off\nfull_page_writes = off\n")
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):  # a test may have stopped it
                server.stop()
