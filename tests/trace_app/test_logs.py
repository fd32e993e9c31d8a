"""What stands in the log: what happened and where, and nothing that opens doors or says who someone is."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg.errors
import pytest
import sqlalchemy.exc
from botocore.exceptions import ClientError, EndpointConnectionError
from flask import Flask, request
from redis.exceptions import ConnectionError as RedisAway
from werkzeug.exceptions import ServiceUnavailable

from media_store import StoreUnavailable
from tests.conftest import app_for, set_up, settings_for
from tests.world import PASSWORD, World
from trace_app import logs
from trace_app.errors import Problem
from trace_app.extensions import jobs

DATABASE_PASSWORD = "pw-b7c1e0d94a"
SECRET_KEY = "key-51f7a2c8809e4b6d-signs-all-sessions"
S3_SECRET = "s3-0f3c9a77d1e2"
CAMERA = "rtsp://admin:cam-88e1d2@10.0.0.9/1"
PERSON = "王小明-13987654321"
SECRETS = [DATABASE_PASSWORD, SECRET_KEY, S3_SECRET, CAMERA, PERSON, PASSWORD]
LONGEST_LINE = 4096


class Unspeakable(Problem):
    code = "unspeakable"
    status = 503


def _nested(text: str) -> Exception:
    try:
        try:
            raise ValueError(text)
        except ValueError as error:
            raise LookupError(text) from error
    except LookupError as error:
        return error


FAULTS: dict[str, Callable[[str], BaseException]] = {
    "value": ValueError,
    "key": KeyError,
    "type": TypeError,
    "runtime": RuntimeError,
    "overflow": OverflowError,
    "recursion": RecursionError,
    "assertion": AssertionError,
    "file": lambda text: FileNotFoundError(2, text, text),
    "refused": lambda text: ConnectionRefusedError(111, text),
    "bytes": lambda text: UnicodeDecodeError("utf-8", text.encode(), 0, 1, text),
    "chain": _nested,
    "group": lambda text: ExceptionGroup(text, [ValueError(text)]),
    "integrity": lambda text: sqlalchemy.exc.IntegrityError(text, {"p": text}, psycopg.errors.UniqueViolation(text)),
    "database": lambda text: sqlalchemy.exc.OperationalError(text, {"p": text}, psycopg.OperationalError(text)),
    "data": lambda text: sqlalchemy.exc.DataError(text, {"p": text}, psycopg.DataError(text)),
    "store": StoreUnavailable,
    "s3": lambda text: ClientError({"Error": {"Code": text, "Message": text}}, text),
    "endpoint": lambda text: EndpointConnectionError(endpoint_url=text),
    "redis": RedisAway,
    "http": lambda text: ServiceUnavailable(text),
    "problem": lambda text: Unspeakable(fact=text),
    "long": lambda text: ValueError(text * 10_000),
}


@pytest.fixture(params=["console", "json"])
def faulty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """The application with a fault behind each page, and with secrets in all places."""
    kind = request.param
    settings = settings_for(tmp_path, log_format=kind, secret_key=SECRET_KEY, s3_secret_key=S3_SECRET)
    app = app_for(settings, JOBS_IMMEDIATE=False)
    app.before_request(_fail)
    set_up(app)
    yield app
    logs.configure(settings_for(tmp_path))


def _fail() -> None:
    fault = request.headers.get("X-Fault")
    if fault:
        held = " ".join(SECRETS)
        raise FAULTS[fault](held)


def _lines(text: str, kind: str) -> list[dict[str, object]]:
    """The lines of a log, each of which a machine can read where it is one for machines."""
    return [json.loads(line) for line in text.splitlines()] if kind == "json" else []


def _kind(app: Flask) -> str:
    return str(app.config["SETTINGS"].log_format)


def test_no_error_writes_a_secret_or_a_person_to_the_log(faulty: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    world = World(faulty)
    actor = world.producer()
    client, token = world.client(actor), world.token(actor)
    cookie = client.get_cookie("session")
    assert cookie is not None
    hidden = [*SECRETS, token["Authorization"].removeprefix("Bearer "), cookie.value, actor.username]
    capfd.readouterr()
    ways: list[tuple[str, str, dict[str, str]]] = [
        ("GET", f"/batches?q={PERSON}", {}),
        ("POST", "/batches/new", {}),
        ("GET", "/api/v1/recalls", token),
    ]
    for fault in FAULTS:
        for method, path, headers in ways:
            data = {"name": PERSON} if method == "POST" else None
            answer = client.open(path, method=method, data=data, headers={"X-Fault": fault, **headers})
            assert answer.status_code >= 400
            assert PERSON not in answer.text
    written = "".join(capfd.readouterr())
    assert len(written.splitlines()) > len(FAULTS) * 3
    assert [secret for secret in hidden if secret in written] == []
    for line in _lines(written, _kind(faulty)):
        assert len(json.dumps(line, ensure_ascii=False).encode()) <= LONGEST_LINE
    assert "_fail" in written


def test_a_database_that_is_away_is_told_without_its_password(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"postgresql://trace:{DATABASE_PASSWORD}@127.0.0.1:1/trace"
    app = app_for(settings_for(tmp_path, log_format="json", database_url=url))
    token = "token-1f0a93e7"
    answers = [
        app.test_client().get("/recalls"),
        app.test_client().get("/api/v1/recalls", headers={"Authorization": f"Bearer {token}"}),
    ]
    logs.configure(settings_for(tmp_path))
    written = "".join(capfd.readouterr())
    assert [answer.status_code for answer in answers] == [503, 503]
    assert "暂时无法处理" in answers[0].text
    assert DATABASE_PASSWORD not in written
    assert token not in written
    assert any(line["event"] == "database unavailable" for line in _lines(written, "json"))


def test_whoever_is_signed_in_reads_the_page_of_an_error_in_chinese(faulty: Flask) -> None:
    world = World(faulty)
    client = world.client(world.producer())
    for fault, status, words in (("database", 503, "暂时无法处理"), ("runtime", 500, "系统出了问题")):
        answer = client.get("/batches", headers={"X-Fault": fault})
        assert answer.status_code == status
        assert words in answer.text


def test_an_error_is_told_even_where_its_page_cannot_be_made(faulty: Flask) -> None:
    client = World(faulty).client()
    del faulty.jinja_env.globals["asset"]
    answer = client.get("/recalls", headers={"X-Fault": "runtime"})
    assert answer.status_code == 500
    assert "系统出了问题" in answer.text


def test_each_request_has_a_line_with_the_rule_of_its_address(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    app = app_for(settings_for(tmp_path, log_format="json"))
    set_up(app)
    world = World(app)
    actor = world.producer()
    batch = world.released(actor)
    client = world.client(actor)
    capfd.readouterr()
    client.get(f"/batches/{batch}")
    client.get(f"/{PERSON}/none")
    logs.configure(settings_for(tmp_path))
    written = "".join(capfd.readouterr())
    lines = [line for line in _lines(written, "json") if line["event"] == "request"]
    first, second = lines
    assert (first["method"], first["status"]) == ("GET", 200)
    assert str(first["route"]).startswith("/batches/<")
    assert (second["route"], second["status"]) == ("none", 404)
    assert first["request"] != second["request"]
    assert PERSON not in written


def test_a_request_has_its_number_on_the_lines_of_its_jobs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    app = app_for(settings_for(tmp_path, log_format="json"), JOBS_IMMEDIATE=False)
    set_up(app)
    world = World(app)
    actor = world.producer()
    client = world.client(actor)
    path = f"/batches/{world.released(actor)}/labels"
    capfd.readouterr()
    client.post(path, data={"count": "24", "level": "item", "stock": "a4-3x8", "format": "pdf"})
    made = [line for line in _lines("".join(capfd.readouterr()), "json") if line["event"] == "request"]
    # The store has a file where it wants its folder, so that the job has to wait.
    store = tmp_path / "media"
    if store.exists():
        store.rename(tmp_path / "elsewhere")
    store.write_text("")
    queue = jobs.queue(app)
    while (task := queue.dequeue()) is not None:
        queue.execute(task)
    logs.configure(settings_for(tmp_path))
    waits = [
        line
        for line in _lines("".join(capfd.readouterr()), "json")
        if line["event"] == "a print job waits for the store"
    ]
    assert [line["request"] for line in waits] == [made[0]["request"]]


@pytest.mark.parametrize("library", ["huey", "werkzeug", "flask_limiter"])
def test_messages_of_libraries_are_lines_like_ours(
    library: str, faulty: Flask, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    try:
        raise ValueError(S3_SECRET)
    except ValueError:
        logging.getLogger(library).error("Trouble with %s", PERSON, exc_info=True)
    logging.getLogger(library).warning(f"Trouble: {PERSON}")
    written = "".join(capfd.readouterr())
    assert "Trouble" in written
    assert PERSON not in written
    assert S3_SECRET not in written
    assert [line["logger"] for line in _lines(written, _kind(faulty))] in ([], [library, library])
