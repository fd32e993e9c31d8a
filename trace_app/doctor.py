"""``flask doctor``: a look at everything the platform stands on, each in a line that says what is right or what to do.

What it finds out it finds out as the platform would: by the same settings, the same connections and the same keys.
"""

from __future__ import annotations

import difflib
import enum
import io
import os
import secrets
import shutil
import smtplib
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from dotenv import dotenv_values
from flask import current_app

from config import Settings
from media_store import StoreUnavailable
from qr.keys import KeyFileError
from trace_app.accounts.models import AuditEvent
from trace_app.db.base import utc_now
from trace_app.deadlines import TooLate, within
from trace_app.errors import Problem
from trace_app.extensions import db, jobs
from trace_app.jobs import away
from trace_app.labels.keys import code_book, key_file
from trace_app.labels.service import NEARLY_FULL, runs_used, used_share
from trace_app.media.service import media_store
from trace_app.messages.delivery import mail_server
from trace_app.settings import settings

DEADLINE_S = 15.0
"""Seconds that each look may take."""
CLOCK_S = 2.0
"""Seconds that two clocks may differ."""
LEAST_FREE = 1 << 30
"""Bytes that should be free on the disk."""
LATE = timedelta(minutes=10)
"""A job that has waited for so long was forgotten by the consumers, or there are none."""


class State(enum.StrEnum):
    RIGHT = "right"
    LOOK = "look"
    """It works, and somebody should know."""
    WRONG = "wrong"


class Examined(NamedTuple):
    """What a look at one thing found."""

    thing: str
    state: State
    text: str


Findings = Iterator[tuple[State, str]]


def examine() -> Iterator[Examined]:
    """Look at one thing after the other. None of them keeps the next from being looked at."""
    app: Any = current_app._get_current_object()  # type: ignore[attr-defined]
    for thing, look in LOOKS.items():
        try:
            for state, text in within(DEADLINE_S, lambda look=look: _all_of(app, look)):  # type: ignore[misc]
                yield Examined(thing, state, text)
        except Exception as error:
            yield Examined(thing, State.WRONG, _why(error))


def _all_of(app: Any, look: Callable[[], Findings]) -> list[tuple[State, str]]:
    with app.app_context():
        return list(look())


def _why(error: Exception) -> str:
    """What went wrong, with what to do. Messages of drivers hold no passwords, but a good deal else: kinds will do."""
    if isinstance(error, TooLate):
        return f"{error}: is it up, and does the network let us through?"
    if isinstance(error, Problem):
        return error.message
    if isinstance(error, KeyFileError):
        return str(error)
    if isinstance(error, sa.exc.ProgrammingError) or "no such table" in str(error):
        return "there are no tables: run flask setup"
    if isinstance(error, sa.exc.OperationalError):
        return "does not answer, or does not let us in: look at DATABASE_URL and whether the server is up"
    return f"{type(error).__name__}"


def _settings() -> Findings:
    if settings().environment == "production":
        yield State.RIGHT, "ENVIRONMENT=production, and all that it asks for is there"
    else:
        yield State.LOOK, "good for trying out: set ENVIRONMENT=production before anyone relies on it"
    known = {name.upper() for name in Settings.model_fields}
    for name in dotenv_values(".env") if Path(".env").exists() else ():
        if name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, 1)
            yield State.WRONG, f".env: {name} is no setting" + (f"; {near[0]} is one" if near else "")


def _database() -> Findings:
    with db.engine.connect() as connection:
        if db.engine.dialect.name == "sqlite":
            yield (
                State.RIGHT,
                f"SQLite {connection.exec_driver_sql('SELECT sqlite_version()').scalar_one()} in DATA_DIR",
            )
            return
        version = connection.exec_driver_sql("SHOW server_version").scalar_one()
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        yield State.WRONG, f"its encoding is {encoding}: create it with ENCODING 'UTF8' TEMPLATE template0"
    yield State.RIGHT, f"PostgreSQL {version} answers"
    yield from _role_of_workers()


def _role_of_workers() -> Findings:
    """Whether the web workers can change what is only ever added."""
    if not (url := settings().web_database_url):
        yield State.LOOK, "the web workers may change what is only ever added: give them a role (WEB_DATABASE_URL)"
        return
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            role = connection.exec_driver_sql("SELECT current_user").scalar_one()
            evidence = "to_regclass('audit_events')::oid"
            may = connection.exec_driver_sql(f"SELECT has_table_privilege({evidence}, 'UPDATE, DELETE')").scalar()
    finally:
        engine.dispose()
    if may:
        yield State.WRONG, f"{role} may change what is only ever added: run deploy/postgresql/roles.sql"
    elif may is not None:
        yield State.RIGHT, f"{role}, the web workers' role, may not change what is only ever added"


def _migrations() -> Findings:
    head = ScriptDirectory(settings().migrations).get_current_head()
    with db.engine.connect() as connection:
        here = MigrationContext.configure(connection).get_current_revision()
    if here is None:
        yield State.WRONG, "there are no tables: run flask setup"
    elif here != head:
        yield State.WRONG, f"the schema is {here}, the release needs {head}: stop the servers, run flask setup"
    else:
        yield State.RIGHT, f"the schema is {here}, as the release needs it"


def _keys() -> Findings:
    if not key_file().exists() and not sa.inspect(db.engine).get_table_names():
        yield State.WRONG, "there are none yet: flask setup makes them"
        return
    fingerprints = key_file().fingerprints()
    # A key of another installation is found out by its fingerprint in the database.
    current_app.extensions.pop("code_book", None)
    code_book()
    newest = max(fingerprints)
    if (share := used_share(runs_used(newest))) >= NEARLY_FULL:
        yield State.WRONG, f"label key {newest} is full to {share} %: run flask keys rotate, restart the servers"
    yield State.RIGHT, f"label keys {', '.join(map(str, fingerprints))} in {settings().label_keys}: are they backed up?"
    for name, given in (("FACTOR_KEY", settings().factor_key), ("IDENTITY_KEY", settings().identity_key)):
        if settings().environment == "production" and given is None:
            yield State.LOOK, f"{name} is kept in {settings().folder / 'keys'}: further machines need the same"


def _store() -> Findings:
    key, content = f"probe/{secrets.token_hex(8)}.txt", secrets.token_bytes(64)
    where = f"bucket {settings().s3_bucket}" if settings().s3_bucket else "folder DATA_DIR/media"
    store = media_store()
    try:
        store.put(key, io.BytesIO(content), "text/plain")
        with store.open(key) as file:
            same = file.read() == content
        store.delete(key)
    except StoreUnavailable:
        advice = "look at S3_ENDPOINT_URL, S3_ACCESS_KEY, S3_SECRET_KEY, and whether the bucket is there"
        yield State.WRONG, f"{where} takes nothing: " + (advice if settings().s3_bucket else "may we write there?")
        return
    if same:
        yield State.RIGHT, f"{where} takes files and gives them back"
    else:
        yield State.WRONG, f"{where} gives back another file than it was given"


def _queue() -> Findings:
    where = "Redis" if settings().redis_url else "SQLite in DATA_DIR"
    try:
        waiting = {name: jobs.waiting(name) for name in jobs.names()}
        oldest = max((jobs.oldest(name) for name in jobs.names()), default=0.0)
    except away():
        yield State.WRONG, "Redis does not answer: look at REDIS_URL and whether it is up; limits are counted by worker"
        return
    said = f"{where}: {sum(waiting.values())} jobs wait"
    if oldest > LATE.total_seconds():
        yield State.WRONG, f"{said}, the oldest for {oldest / 60:.0f} minutes: is a consumer running (flask jobs)?"
    else:
        yield State.RIGHT, said


def _mail() -> Findings:
    if not settings().smtp_host:
        yield State.LOOK, "SMTP_HOST is not set: no mail is sent, links for passwords go out on paper"
        return
    where = f"{settings().smtp_host}:{settings().smtp_port}"
    try:
        with mail_server(10) as server:
            server.noop()
    except smtplib.SMTPAuthenticationError:
        yield State.WRONG, f"{where} does not let us in: look at SMTP_USER and SMTP_PASSWORD"
    except (OSError, smtplib.SMTPException) as error:
        yield State.WRONG, f"{where} does not answer as it should ({type(error).__name__}): SMTP_HOST, _PORT, _TLS"
    else:
        yield State.RIGHT, f"{where} lets us in"


def _clock() -> Findings:
    with db.engine.connect() as connection:
        if db.engine.dialect.name == "postgresql":
            theirs = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())").scalar_one()
            if (apart := abs(float(theirs) - time.time())) > CLOCK_S:
                yield State.WRONG, f"{apart:.0f} s apart from the database's: let NTP set both (chrony, timesyncd)"
        latest = connection.execute(sa.select(sa.func.max(AuditEvent.at))).scalar()
    if latest is not None and latest.astimezone(UTC) > utc_now() + timedelta(seconds=CLOCK_S):
        yield State.WRONG, "something was done later than now: the clock was set back; let NTP set it"
    yield State.RIGHT, f"{utc_now():%Y-%m-%d %H:%M:%S} UTC"


def _disk() -> Findings:
    folder = settings().folder
    usage = shutil.disk_usage(folder)
    said = f"{usage.free / (1 << 30):,.1f} GB of {usage.total / (1 << 30):,.1f} GB free in {folder}"
    if not os.access(folder, os.W_OK):
        yield State.WRONG, f"{folder} can't be written to: it must belong to the user that runs us"
    elif usage.free < LEAST_FREE:
        yield State.WRONG, f"{said}: make room"
    else:
        yield State.RIGHT, said


def _proxies() -> Findings:
    hops, address = settings().proxy_hops, settings().home
    if settings().environment == "production" and not hops:
        yield State.WRONG, "PROXY_HOPS is 0: every scan seems to come from the proxy, and limits count for all together"
    try:
        # PUBLIC_URL is http or https: the settings see to that.
        with closing(urlopen(f"{address}/healthz", timeout=5)) as answer:  # noqa: S310
            ours = answer.read(200).strip().startswith(b"{")
    except HTTPError as error:
        yield State.WRONG, f"{address} answers {error.code}: does the proxy lead to {settings().bind}?"
    except (URLError, OSError):
        yield State.LOOK, f"{address} does not answer from here: is it served, and does its name lead here?"
    else:
        yield (State.RIGHT, f"{address} answers") if ours else (State.WRONG, f"{address} answers, and is not ours")


LOOKS: dict[str, Callable[[], Findings]] = {
    "settings": _settings,
    "database": _database,
    "migrations": _migrations,
    "keys": _keys,
    "store": _store,
    "queue": _queue,
    "mail": _mail,
    "clock": _clock,
    "disk": _disk,
    "proxies": _proxies,
}
