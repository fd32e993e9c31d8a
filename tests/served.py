"""The platform as it is served: web workers and job consumer, in processes of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from trace_app.server import end_with_parent

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Platform:
    url: str
    environment: dict[str, str]

    def command(self, *arguments: str) -> str:
        result = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout


def database(postgresql_url: str, name: str, *, template: str = "template0") -> str:
    """The URL of a database of this name, made anew on a PostgreSQL server."""
    server = sa.engine.make_url(postgresql_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'"))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


def prepared(folder: Path, postgresql: tuple[str, str] | None, *, workers: int) -> Platform:
    """A platform that is set up and not served yet: on SQLite, or in a database of the name on a PostgreSQL server.

    The command is run once for each database; who comes after gets a copy of what it made.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = dict(os.environ) | {
        "BIND": address,
        "PUBLIC_URL": f"http://{address}",
        "WEB_WORKERS": str(workers),
    }
    first = folder.parent / ("set-up-on-postgresql" if postgresql else "set-up-on-sqlite")
    if not first.exists():
        url = database(postgresql[0], "set_up") if postgresql else ""
        Platform("", environment | {"DATA_DIR": str(first), "DATABASE_URL": url}).command("setup")
    shutil.copytree(first, folder, dirs_exist_ok=True)
    url = database(*postgresql, template="set_up") if postgresql else ""
    return Platform(f"http://{address}", environment | {"DATA_DIR": str(folder), "DATABASE_URL": url})


def _wait_for(platform: Platform) -> None:
    """Until it answers: a minute at most, which a machine with much else to do may take."""
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{platform.url}/healthz", timeout=5):
                return
        except OSError:
            assert time.monotonic() < end, "the platform does not answer"
            time.sleep(0.1)


@contextmanager
def serving(platform: Platform) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "serve"],
        cwd=ROOT,
        env=platform.environment,
        # Tests that are killed leave nothing behind.
        preexec_fn=end_with_parent,
    )
    try:
        _wait_for(platform)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
