"""The platform as it is served: web workers and job consumer, in processes of their own."""

from __future__ import annotations

import os
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


def database(postgresql_url: str, name: str) -> str:
    """The URL of a database of this name, made anew on a PostgreSQL server."""
    server = sa.engine.make_url(postgresql_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


def prepared(folder: Path, database_url: str, *, workers: int) -> Platform:
    """A platform that is set up and not served yet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = dict(os.environ) | {
        "DATA_DIR": str(folder),
        "BIND": address,
        "PUBLIC_URL": f"http://{address}",
        "DATABASE_URL": database_url,
        "WEB_WORKERS": str(workers),
    }
    platform = Platform(f"http://{address}", environment)
    platform.command("setup")
    return platform


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
