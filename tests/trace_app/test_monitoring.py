"""Whether it lives, whether it can work, and how much it does: for load balancers and Prometheus."""

from __future__ import annotations

import os
import re
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import app_for, set_up, settings_for
from tests.served import prepared, serving
from tests.silent import silent_server
from tests.test_processes import _children, _until
from tests.world import World
from trace_app.extensions import db, jobs
from trace_app.labels.printing import make_files
from trace_app.scanning.intake import QUEUE

pytestmark = pytest.mark.either_database

HERE = {"REMOTE_ADDR": "127.0.0.1"}


def _metrics(client: FlaskClient, **options: Any) -> str:
    answer = client.get("/metrics", environ_overrides=HERE, **options)
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    return str(answer.text)


def _value(text: str, name: str, **labels: str) -> float:
    """The sum of a figure's values with these labels."""
    total = 0.0
    for line in text.splitlines():
        found = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
        if found and all(f'{key}="{value}"' in (found[1] or "") for key, value in labels.items()):
            total += float(found[2])
    return total


class TestReady:
    def test_all_answers(self, app: Flask) -> None:
        answer = app.test_client().get("/readyz")
        assert answer.status_code == 200
        assert answer.json == {"status": "ok", "database": "ok", "queue": "ok", "store": "ok"}

    def test_a_process_without_a_database_lives_and_is_not_ready(self, tmp_path: Path) -> None:
        client = app_for(settings_for(tmp_path, database_url="postgresql://u:p@127.0.0.1:1/trace")).test_client()
        assert client.get("/healthz").json == {"status": "ok"}
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert answer.json == {"status": "away", "database": "away", "queue": "ok", "store": "ok"}
        assert _value(_metrics(client), "trace_part_up", part="database") == 0

    def test_with_queue_and_store_silent_it_goes_on_and_says_so(self, tmp_path: Path) -> None:
        with silent_server() as silent:
            settings = settings_for(
                tmp_path,
                redis_url=f"redis://{silent.address}",
                s3_bucket="media",
                s3_endpoint_url=f"http://{silent.address}",
                s3_region="us-east-1",
                s3_access_key="a",
                s3_secret_key="b",
            )
            app = app_for(settings, JOBS_IMMEDIATE=False)
            set_up(app)
            client = app.test_client()
            said = {"status": "degraded", "database": "ok", "queue": "away", "store": "away"}
            for _ in range(2):
                answer = client.get("/readyz")
                assert answer.status_code == 200
                assert answer.json == said
            figures = _metrics(client)
            assert _value(figures, "trace_part_up", part="store") == 0
            assert _value(figures, "trace_part_up", part="database") == 1

    def test_a_silent_database_is_given_up(self, tmp_path: Path) -> None:
        with silent_server() as silent:
            app = app_for(settings_for(tmp_path, database_url=f"postgresql://u:p@{silent.address}/trace"))
            client = app.test_client()
            for _ in range(3):
                assert client.get("/readyz").status_code == 503
            # One that waits already is not joined by others.
            assert silent.taken == 1


class TestMetrics:
    def test_who_may_look(self, tmp_path: Path) -> None:
        app = app_for(settings_for(tmp_path, metrics_allow=["10.1.0.0/16"], metrics_token="a token of its own"))
        set_up(app)
        client = app.test_client()

        def status(address: str, **headers: str) -> int:
            return int(client.get("/metrics", environ_overrides={"REMOTE_ADDR": address}, headers=headers).status_code)

        assert status("10.1.2.3") == 200
        assert status("10.2.0.1") == 404
        assert status("127.0.0.1") == 404
        assert status("::1") == 404
        assert status("10.1.2.3", **{"X-Forwarded-For": "10.1.2.3"}) == 404
        assert status("203.0.113.9", Authorization="Bearer a token of its own") == 200
        assert status("203.0.113.9", Authorization="Bearer another") == 404
        assert status("10.1.2.3", Authorization="Bearer another") == 404

    def test_this_machine_alone_where_nothing_is_set(self, app: Flask) -> None:
        client = app.test_client()
        assert client.get("/metrics", environ_overrides=HERE).status_code == 200
        assert client.get("/metrics", environ_overrides={"REMOTE_ADDR": "::1"}).status_code == 200
        assert client.get("/metrics", environ_overrides={"REMOTE_ADDR": "192.168.1.5"}).status_code == 404
        assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404

    def test_a_proxy_tells_where_one_comes_from(self, tmp_path: Path) -> None:
        app = app_for(settings_for(tmp_path, proxy_hops=1))
        set_up(app)
        client = app.test_client()
        for address, status in {"127.0.0.1": 200, "203.0.113.9": 404}.items():
            headers = {"X-Forwarded-For": address}
            assert client.get("/metrics", environ_overrides=HERE, headers=headers).status_code == status

    def test_requests_are_counted_by_route_and_nobody_is_named(self, world: World) -> None:
        actor = world.producer(name="独一无二合作社")
        lot, code = world.labelled(actor, lot_number="LOT-NUR-EINMAL")
        client = world.client(actor)
        before = _metrics(client)
        for _ in range(3):
            assert client.get(f"/batches/{lot}").status_code == 200
        assert client.get("/batches/999999").status_code == 404
        assert client.get(f"/{code}").status_code == 200
        assert client.get("/find?code=geheim-4711").status_code < 500
        assert client.get("/no/such/place/geheim-4711").status_code == 404
        after = _metrics(client)

        def more(name: str, **labels: str) -> float:
            return _value(after, name, **labels) - _value(before, name, **labels)

        route = "/batches/<int:batch_id>"
        assert more("trace_requests_total", method="GET", route=route, status="200") == 3
        assert more("trace_requests_total", method="GET", route=route, status="404") == 1
        assert more("trace_request_seconds_count", route=route) == 4
        for text in (code, "独一无二", "NUR-EINMAL", "geheim", actor.username, f"batches/{lot}"):
            assert text not in after

    def test_scans_and_jobs_are_counted(self, world: World) -> None:
        actor = world.producer()
        batch = world.released(actor)
        code = world.code(world.run(actor, batch, 1), 0)
        client = world.client()
        before = _metrics(client)
        for _ in range(4):
            assert world.client().get(f"/{code}", headers={"User-Agent": "Mozilla/5.0"}).status_code == 200
        world.app.extensions["scan_log"].hand_over()
        order = {"count": "3", "level": "item", "stock": "a4-3x8", "format": "pdf", "excess_reason": "试机"}
        assert world.client(actor).post(f"/batches/{batch}/labels", data=order).status_code == 302
        after = _metrics(client)
        job = "trace_app.labels.printing.make_files"
        assert (
            _value(after, "trace_scans_total", outcome="shown") - _value(before, "trace_scans_total", outcome="shown")
            == 4
        )
        for name in ("trace_jobs_total", "trace_job_seconds_count", "trace_job_wait_seconds_count"):
            assert _value(after, name, job=job) - _value(before, name, job=job) == 1
        assert _value(after, "trace_jobs_total", job=job, outcome="failed") == _value(
            before, "trace_jobs_total", job=job, outcome="failed"
        )

    def test_what_waits_is_told_with_its_age(self, tmp_path: Path) -> None:
        app = app_for(settings_for(tmp_path), JOBS_IMMEDIATE=False)
        set_up(app)
        world = World(app)
        actor = world.producer()
        batch = world.released(actor)
        order = {"count": "3", "level": "item", "stock": "a4-3x8", "format": "pdf"}
        assert world.client(actor).post(f"/batches/{batch}/labels", data=order).status_code == 302
        before = _value(_metrics(world.client()), "trace_waiting", what="checks_changed")
        world.batch(actor)
        with app.app_context():
            jobs.work_off(app, QUEUE)
            jobs.enqueue(make_files, 999)
            db.session.execute(db.text("UPDATE print_jobs SET created_at = '2020-01-01 00:00:00'"))
            db.session.commit()
        text = _metrics(world.client())
        assert _value(text, "trace_queue", what="trace") >= 2
        assert _value(text, "trace_queue", what="webhooks") == 0
        assert 0 < _value(text, "trace_queue_oldest_seconds", what="trace") < 3600
        assert _value(text, "trace_waiting", what="print_jobs") == 1
        assert _value(text, "trace_waiting_oldest_seconds", what="print_jobs") > 86_400
        assert _value(text, "trace_waiting", what="checks_changed") == before + 1
        assert _value(text, "trace_waiting", what="deliveries") == 0


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("workers", [2])
def test_whichever_worker_is_asked_tells_of_all_of_them(tmp_path: Path, workers: int) -> None:
    platform = prepared(tmp_path, None, workers=workers)
    with serving(platform):
        for _ in range(20):
            _get(f"{platform.url}/recalls")
        for _ in range(8):
            assert _value(_get(f"{platform.url}/metrics"), "trace_requests_total", route="/recalls", status="200") == 20
        # The job consumer is one of them.
        _until(
            lambda: _value(_get(f"{platform.url}/metrics"), "trace_jobs_total", outcome="done") > 0, "no job is told of"
        )
        text = _get(f"{platform.url}/metrics")
        processes = set(re.findall(r'trace_database_connections\{pid="(\d+)"\}', text))
        workers_here = [
            number for number, kind in _children(_parent_of(int(next(iter(processes))))).items() if kind == "worker"
        ]
        os.kill(workers_here[0], signal.SIGKILL)
        while Path(f"/proc/{workers_here[0]}").exists():
            time.sleep(0.05)
        for _ in range(8):
            try:
                text = _get(f"{platform.url}/metrics")
            except OSError:
                continue
            assert _value(text, "trace_requests_total", route="/recalls", status="200") == 20
            assert f'pid="{workers_here[0]}"' not in text


def _parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
