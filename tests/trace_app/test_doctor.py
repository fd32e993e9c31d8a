"""``flask doctor``: a line for each thing that the platform stands on, right or with what to do."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from tests.conftest import app_for, set_up, settings_for
from tests.media_store.test_stores import s3_endpoint
from tests.silent import silent_server
from tests.world import World
from trace_app import doctor
from trace_app.db.base import utc_now
from trace_app.extensions import db, jobs
from trace_app.labels.printing import make_files

__all__ = ["s3_endpoint"]

THINGS = ["settings", "database", "migrations", "keys", "store", "queue", "mail", "clock", "disk", "proxies"]


def _ask(app: Flask) -> tuple[int, dict[str, str]]:
    """The exit code, and the lines by the thing that they tell of."""
    result = app.test_cli_runner().invoke(args=["doctor"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    lines = [line.split(maxsplit=2) for line in result.output.splitlines() if line.split()[0] in {*doctor.State}]
    found: dict[str, str] = {}
    for state, thing, text in lines:
        found[thing] = "\n".join(filter(None, [found.get(thing), f"{state} {text}"]))
    assert list(found) == THINGS
    return result.exit_code, found


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield free.getsockname()[1]


def test_all_is_right_where_all_is_set_up(app: Flask) -> None:
    status, found = _ask(app)
    assert status == 0
    assert not [line for line in found.values() if line.startswith("wrong")]
    assert found["migrations"].startswith("right the schema is 00")
    assert found["store"].startswith("right")
    assert "SMTP_HOST is not set" in found["mail"]
    media = app.config["SETTINGS"].folder / "media" / "probe"
    assert list(media.iterdir()) == []


def test_nothing_set_up_yet_is_told_with_what_to_do(tmp_path: Path) -> None:
    status, found = _ask(app_for(settings_for(tmp_path)))
    assert status == 1
    assert found["migrations"] == "wrong there are no tables: run flask setup"
    assert "flask setup" in found["keys"]


def test_what_is_away_is_told_and_everything_else_is_looked_at_all_the_same(tmp_path: Path, closed_port: int) -> None:
    nobody = f"127.0.0.1:{closed_port}"
    settings = settings_for(
        tmp_path,
        database_url=f"postgresql://u:p@{nobody}/trace",
        redis_url=f"redis://{nobody}",
        s3_bucket="media",
        s3_endpoint_url=f"http://{nobody}",
        s3_region="us-east-1",
        s3_access_key="a",
        s3_secret_key="b",
        smtp_host="127.0.0.1",
        smtp_port=closed_port,
        public_url=f"http://{nobody}",
    )
    status, found = _ask(app_for(settings, JOBS_IMMEDIATE=False))
    assert status == 1
    for thing, advice in {
        "database": "DATABASE_URL",
        "migrations": "DATABASE_URL",
        "store": "S3_ENDPOINT_URL",
        "queue": "REDIS_URL",
        "mail": "SMTP_HOST",
    }.items():
        assert found[thing].startswith("wrong")
        assert advice in found[thing]
    assert found["proxies"].startswith("look")
    assert found["disk"].startswith("right")


def test_what_never_answers_ends_no_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "DEADLINE_S", 0.5)
    with silent_server() as silent:
        app = app_for(settings_for(tmp_path, smtp_host="127.0.0.1", smtp_port=int(silent.address.split(":")[1])))
        set_up(app)
        status, found = _ask(app)
    assert status == 1
    assert found["mail"].startswith("wrong no answer within 0.5 s")
    assert found["disk"].startswith("right")


def test_keys_of_another_installation_are_noticed(tmp_path: Path) -> None:
    app = app_for(settings_for(tmp_path))
    set_up(app)
    keys = tmp_path / "keys" / "label-keys.json"
    keys.write_text('{"1": "' + "ab" * 32 + '"}')
    status, found = _ask(app)
    assert status == 1
    assert "指纹不符" in found["keys"]
    keys.chmod(0o644)
    assert "chmod 600" in _ask(app)[1]["keys"]
    keys.unlink()
    assert "backup" in _ask(app)[1]["keys"]


def test_a_bucket_that_is_not_there_is_told(tmp_path: Path, s3_endpoint: str) -> None:
    values = {"s3_endpoint_url": s3_endpoint, "s3_region": "us-east-1", "s3_access_key": "tests-key-1"}
    right = settings_for(tmp_path / "one", s3_bucket="media", s3_secret_key="tests-secret-1", **values)
    wrong = settings_for(tmp_path / "two", s3_bucket="media", s3_secret_key="another", **values)
    assert _ask(app_for(right))[1]["store"].startswith("right bucket media")
    assert _ask(app_for(wrong))[1]["store"].startswith("wrong bucket media takes nothing")


def test_jobs_that_nobody_takes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_for(settings_for(tmp_path), JOBS_IMMEDIATE=False)
    set_up(app)
    with app.app_context():
        jobs.enqueue(make_files, 1)
    assert _ask(app)[1]["queue"] == "right SQLite in DATA_DIR: 1 jobs wait"
    monkeypatch.setattr(doctor, "LATE", timedelta(seconds=-1))
    status, found = _ask(app)
    assert status == 1
    assert "is a consumer running" in found["queue"]


def test_a_clock_that_was_set_back_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.released(world.producer())
    assert _ask(world.app)[1]["clock"].startswith("right")
    monkeypatch.setattr(doctor, "utc_now", lambda: utc_now() - timedelta(hours=1))
    status, found = _ask(world.app)
    assert status == 1
    assert "NTP" in found["clock"]


def test_a_misspelt_name_in_the_settings_file_is_noticed(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PROXY_HOP=1\nSMTP_HOST=\n")
    status, found = _ask(app)
    assert status == 1
    assert ".env: PROXY_HOP is no setting; PROXY_HOPS is one" in found["settings"]
    assert "SMTP_HOST" not in found["settings"]


def test_an_old_schema_is_told(tmp_path: Path) -> None:
    import flask_migrate

    app = app_for(settings_for(tmp_path))
    set_up(app)
    with app.app_context():
        flask_migrate.downgrade()
        db.session.remove()
    status, found = _ask(app)
    assert status == 1
    assert "run flask setup" in found["migrations"]
