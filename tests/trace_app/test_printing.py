"""Print jobs: volumes, progress, cancelling, workers that die, printing again."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from media_store import LocalStore, StoreUnavailable
from tests.conftest import app_for, set_up, settings_for
from tests.world import Actor, World
from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.extensions import db, jobs
from trace_app.labels import printing
from trace_app.labels.models import LabelRun, PrintJob, PrintStatus, PrintVolume
from trace_app.media.service import media_store

pytestmark = pytest.mark.either_database

ROOT = Path(__file__).parents[2]


def _order(world: World, actor: Actor, batch_id: int, count: int, **facts: Any) -> int:
    """A job that waits."""
    with world.writing():
        user, batch = db.session.get_one(User, actor.user_id), db.session.get_one(Batch, batch_id)
        facts = {"layout": "roll-60x40", "format_name": "csv", "excess_reason": "试机", **facts}
        return printing.order_labels(user, batch, count=count, **facts).id


def _job(world: World, job_id: int) -> PrintJob:
    job = db.session.get_one(PrintJob, job_id)
    db.session.refresh(job)
    return job


def _codes(files: list[bytes]) -> list[str]:
    rows = [row for file in files for row in csv.DictReader(io.StringIO(file.decode("utf-8-sig")))]
    return [row["code"] for row in rows]


def _files(world: World, job_id: int) -> list[bytes]:
    files = []
    for volume in _job(world, job_id).volumes:
        with media_store().open(volume.file_key) as file:
            files.append(file.read())
    return files


class Interrupted(BaseException):
    """Stands for a worker that is gone from one moment to the next."""


def test_a_run_comes_in_volumes_that_hold_each_code_once(world: World) -> None:
    actor = world.producer()
    job_id = _order(world, actor, world.released(actor), 25, per_volume=10)
    with world.app.app_context():
        printing.make_files(job_id)
        job = _job(world, job_id)
        assert [(volume.number, volume.first, volume.count) for volume in job.volumes] == [
            (1, 0, 10),
            (2, 10, 10),
            (3, 20, 5),
        ]
        assert (job.status, job.done) == (PrintStatus.READY, 25)
        assert _codes(_files(world, job_id)) == [world.code(job.run_id, index) for index in range(25)]
    client = world.client(actor)
    page = client.get(f"/labels/{job.run_id}").text
    assert page.count("下载 CSV") == 3
    assert [client.get(f"/labels/jobs/{job_id}/{number}").status_code for number in (0, 1, 3, 4)] == [
        404,
        200,
        200,
        404,
    ]


def test_a_run_of_the_largest_size_is_taken(world: World) -> None:
    actor = world.producer()
    _order(world, actor, world.released(actor), 1_048_575)
    with pytest.raises(printing.CountOutOfRange):
        _order(world, actor, world.released(actor), 1_048_576)


def test_the_page_tells_how_far_a_job_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = world.producer()
    client = world.client(actor)
    job_id = _order(world, actor, world.released(actor), 20_000)
    monkeypatch.setattr(printing, "SECONDS_BETWEEN_SIGNS", 0)
    seen = []
    write = printing.FORMATS["csv"].write

    def watched(out, art, labels, *, progress):
        def told(done: int) -> None:
            time.sleep(0.3)
            progress(done)
            if len(seen) < 2:
                seen.append(client.get(f"/labels/{_job(world, job_id).run_id}"))

        write(out, art, labels, progress=told)

    monkeypatch.setitem(printing.FORMATS, "csv", printing.FORMATS["csv"].__class__("csv", watched, "text/csv"))
    with world.app.app_context():
        printing.make_files(job_id)
    assert all(page.headers["Refresh"] == "2" for page in seen)
    assert "4,096 / 20,000" in seen[0].text
    # What reloads itself has no form in which something is being typed.
    assert "/reprint" not in seen[0].text
    assert "/void" not in seen[0].text
    assert "每秒" in seen[1].text
    assert "约剩" in seen[1].text


def test_a_job_that_nobody_is_on_tells_no_seconds_left(world: World) -> None:
    actor = world.producer()
    client = world.client(actor)
    job_id = _order(world, actor, world.released(actor), 20_000)
    with world.writing():
        job = db.session.get_one(PrintJob, job_id)
        job.status, job.done = PrintStatus.WORKING, 4_096
        job.started_at = job.alive_at = utc_now() - timedelta(seconds=30)
        run_id = job.run_id
    page = client.get(f"/labels/{run_id}").text
    assert "4,096 / 20,000" in page
    assert "暂时停住了" in page
    assert "约剩" not in page


def test_a_cancelled_job_stops_at_once_and_leaves_no_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = world.producer()
    client = world.client(actor)
    job_id = _order(world, actor, world.released(actor), 60_000, per_volume=20_000)
    folder = world.app.config["SETTINGS"].folder / "media" / "labels"
    before = set(folder.glob("*"))
    monkeypatch.setattr(printing, "SECONDS_BETWEEN_SIGNS", 0)
    write_volume = printing._write_volume
    written = []

    def cancelled_in_the_second(job: int, worker: str, number: int, *rest: Any) -> None:
        if number == 2:
            assert client.post(f"/labels/jobs/{job_id}/cancel").status_code == 302
        written.append(number)
        write_volume(job, worker, number, *rest)

    monkeypatch.setattr(printing, "_write_volume", cancelled_in_the_second)
    with world.app.app_context():
        printing.make_files(job_id)
        job = _job(world, job_id)
        assert (job.status, written) == (PrintStatus.CANCELLED, [1, 2])
        assert db.session.scalar(db.select(db.func.count(PrintVolume.id))) == 0
    assert set(folder.glob("*")) == before
    assert client.post(f"/labels/jobs/{job_id}/cancel").status_code == 409
    # The codes are given out; the files can still be made.
    monkeypatch.undo()
    assert client.post(f"/labels/jobs/{job_id}/retry").status_code == 302
    with world.app.app_context():
        assert len(_codes(_files(world, job_id))) == 60_000


def test_a_cancelled_job_of_a_recalled_lot_is_not_done_after_all(world: World) -> None:
    actor = world.producer()
    client = world.client(actor)
    lot = world.released(actor)
    job_id = _order(world, actor, lot, 5)
    assert client.post(f"/labels/jobs/{job_id}/cancel").status_code == 302
    world.recall(world.regulator(), lot)
    refused = client.post(f"/labels/jobs/{job_id}/retry")
    assert refused.status_code == 409
    assert "已召回" in refused.text
    with world.app.app_context():
        assert _job(world, job_id).status is PrintStatus.CANCELLED
        assert db.session.scalar(db.select(db.func.count(PrintVolume.id))) == 0


def test_a_job_whose_worker_died_goes_on_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = world.producer()
    job_id = _order(world, actor, world.released(actor), 30, per_volume=10)
    write_volume = printing._write_volume

    def dying(job: int, worker: str, number: int, *rest: Any) -> None:
        if number == 3:
            raise Interrupted
        write_volume(job, worker, number, *rest)

    monkeypatch.setattr(printing, "_write_volume", dying)
    with world.app.app_context():
        with pytest.raises(Interrupted):
            printing.make_files(job_id)
        monkeypatch.undo()
        kept = [volume.file_key for volume in _job(world, job_id).volumes]
        assert len(kept) == 2
        # While the worker may still live, no one else takes the job.
        printing.make_files(job_id)
        assert _job(world, job_id).status is PrintStatus.WORKING
        with transaction():
            _job(world, job_id).alive_at = utc_now() - timedelta(minutes=2)
        printing.resume_jobs()
        job = _job(world, job_id)
        assert job.status is PrintStatus.READY
        assert [volume.file_key for volume in job.volumes][:2] == kept
        assert _codes(_files(world, job_id)) == [world.code(job.run_id, index) for index in range(30)]


def test_a_worker_that_was_taken_for_dead_gives_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = world.producer()
    job_id = _order(world, actor, world.released(actor), 20, per_volume=10)
    write_volume = printing._write_volume

    def slow(job: int, worker: str, number: int, *rest: Any) -> None:
        if number == 2 and not slow.done:  # type: ignore[attr-defined]
            slow.done = True  # type: ignore[attr-defined]
            with transaction():
                _job(world, job_id).alive_at = utc_now() - timedelta(minutes=2)
            printing.make_files(job_id)
        write_volume(job, worker, number, *rest)

    slow.done = False  # type: ignore[attr-defined]
    monkeypatch.setattr(printing, "_write_volume", slow)
    with world.app.app_context():
        printing.make_files(job_id)
        job = _job(world, job_id)
        assert job.status is PrintStatus.READY
        assert _codes(_files(world, job_id)) == [world.code(job.run_id, index) for index in range(20)]


def test_a_job_that_the_queue_has_lost_is_found(world: World) -> None:
    actor = world.producer()
    job_id = _order(world, actor, world.released(actor), 3)
    with world.app.app_context():
        printing.resume_jobs()
        assert _job(world, job_id).status is PrintStatus.WAITING
        with transaction():
            _job(world, job_id).alive_at = utc_now() - timedelta(minutes=11)
        printing.resume_jobs()
        assert _job(world, job_id).status is PrintStatus.READY


def test_a_file_that_cannot_be_read_back_is_not_offered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from qr.check import CannotBeRead

    actor = world.producer()
    job_id = _order(world, actor, world.released(actor), 5, format_name="pdf")

    def unreadable(*_arguments: Any) -> int:
        raise CannotBeRead(3)

    monkeypatch.setattr(printing, "check_file", unreadable)
    with world.app.app_context():
        printing.make_files(job_id)
        job = _job(world, job_id)
        assert (job.status, job.volumes) == (PrintStatus.FAILED, [])
    page = world.client(actor).get(f"/labels/{job.run_id}").text
    assert "第 4 张标签识读不出" in page
    assert world.client(actor).get(f"/labels/jobs/{job_id}/1").status_code == 409


class TestPrintingAgain:
    def test_a_range_is_printed_again_with_the_same_codes_and_a_reason(self, world: World) -> None:
        actor = world.producer()
        run = world.run(actor, world.released(actor), count=20, format_name="csv")
        client = world.client(actor)
        with world.app.app_context():
            first = db.session.get_one(LabelRun, run).jobs[0].id
        values = {"first": 5, "last": 8, "reason": "碳带断了", "job": first}
        assert client.post(f"/labels/{run}/reprint", data=values).status_code == 302
        with world.app.app_context():
            again = db.session.get_one(LabelRun, run).jobs[1]
            assert (again.first, again.count, again.reason) == (4, 4, "碳带断了")
            assert _codes(_files(world, again.id)) == [world.code(run, index) for index in range(4, 8)]
        page = client.get(f"/labels/{run}").text
        assert "补打：碳带断了" in page
        assert "第 5 到 8 张" in page

    @pytest.mark.parametrize(
        "change", [{"first": 0}, {"last": 21}, {"first": 9, "last": 8}, {"reason": ""}, {"job": "999"}]
    )
    def test_a_wrong_range_is_refused(self, world: World, change: dict[str, Any]) -> None:
        actor = world.producer()
        run = world.run(actor, world.released(actor), count=20)
        with world.app.app_context():
            first = db.session.get_one(LabelRun, run).jobs[0].id
        values = {"first": 5, "last": 8, "reason": "碳带断了", "job": first} | change
        assert world.client(actor).post(f"/labels/{run}/reprint", data=values).status_code == 422
        with world.app.app_context():
            assert len(db.session.get_one(LabelRun, run).jobs) == 1


def test_a_consumer_killed_while_it_prints_is_replaced_and_every_code_is_there_once(tmp_path: Path) -> None:
    """The real thing: ``flask jobs`` is killed with SIGKILL in the middle of a run, and started again."""
    settings = settings_for(tmp_path)
    app = app_for(settings, JOBS_IMMEDIATE=False)
    set_up(app)
    world = World(app)
    actor = world.producer()
    count, per_volume = 60_000, 5000
    job_id = _order(world, actor, world.released(actor), count, per_volume=per_volume, format_name="tspl")
    with app.app_context():
        jobs.enqueue(printing.make_files, job_id)
    environment = dict(os.environ) | {
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "S3_BUCKET": "",
        "SECRET_KEY": "a key for tests, and for tests alone",
    }
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "jobs"]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait_until(condition: Any) -> None:
        for _ in range(600):
            with app.app_context():
                if condition(_job(world, job_id)):
                    return
            time.sleep(0.1)
        pytest.fail("it did not come to that")

    consumer = start()
    try:
        wait_until(lambda job: len(job.volumes) >= 2)
        os.killpg(consumer.pid, signal.SIGKILL)
        consumer.wait()
        with app.app_context():
            job = _job(world, job_id)
            assert job.status is PrintStatus.WORKING
            assert 2 <= len(job.volumes) < count // per_volume
            with transaction():
                # As if a minute had gone by.
                _job(world, job_id).alive_at = utc_now() - timedelta(minutes=1)
        consumer = start()
        wait_until(lambda job: job.status is PrintStatus.READY)
    finally:
        os.killpg(consumer.pid, signal.SIGKILL)
        consumer.wait()
    with app.app_context():
        job = _job(world, job_id)
        assert [volume.first for volume in job.volumes] == list(range(0, count, per_volume))
        assert sum(volume.count for volume in job.volumes) == count
        files = _files(world, job_id)
        assert sum(file.count(b"PRINT 1,1\r\n") for file in files) == count
        db.engine.dispose()


def test_a_job_whose_store_is_away_waits_and_goes_on_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(LocalStore):
        volumes = 1

        def put(self, key: str, content: BinaryIO, content_type: str) -> None:
            if not self.volumes:
                raise StoreUnavailable("connection refused")
            self.volumes -= 1
            super().put(key, content, content_type)

    store = Away(world.app.config["SETTINGS"].folder / "away")
    monkeypatch.setitem(world.app.extensions, "media_store", store)
    actor = world.producer()
    job_id = _order(world, actor, world.released(actor), 20, per_volume=10)
    client = world.client(actor)
    with world.app.app_context():
        printing.make_files(job_id)
        run = _job(world, job_id).run_id
        for _ in range(2):
            assert (_job(world, job_id).status, len(_job(world, job_id).volumes)) == (PrintStatus.WAITING, 1)
            page = client.get(f"/labels/{run}").text
            assert "存储暂时不可用，恢复后会自动接着生成" in page
            assert "10 / 20" in page
            assert "重新生成</button>" not in page
            printing.resume_jobs()
        first = _job(world, job_id).volumes[0].file_key
        store.volumes = 9
        printing.resume_jobs()
        job = _job(world, job_id)
        assert (job.status, job.failure, len(job.volumes)) == (PrintStatus.READY, "", 2)
        assert job.volumes[0].file_key == first
        assert _codes(_files(world, job_id)) == [world.code(run, index) for index in range(20)]
    assert "恢复后会自动接着生成" not in client.get(f"/labels/{run}").text


def test_no_file_is_made_in_vain_while_the_store_does_not_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(LocalStore):
        def size(self, key: str) -> int:
            raise StoreUnavailable("connection refused")

    monkeypatch.setitem(world.app.extensions, "media_store", Silent(world.app.config["SETTINGS"].folder / "silent"))
    actor = world.producer()
    job_id = _order(world, actor, world.released(actor), 10)
    with world.app.app_context():
        printing.make_files(job_id)
        job = _job(world, job_id)
        assert (job.status, job.done) == (PrintStatus.WAITING, 0)
        printing.cancel(db.session.get_one(User, actor.user_id), job)
        db.session.commit()
        printing.resume_jobs()
        assert _job(world, job_id).status is PrintStatus.CANCELLED
