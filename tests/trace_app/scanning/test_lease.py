"""Under a lease scans are answered without asking the database, and what stops a lot is on the page all the same."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from tests.trace_app.scanning.asking import ask, layer_of, until_leased
from tests.world import World
from trace_app.batches.models import Batch
from trace_app.db.session import transaction
from trace_app.extensions import db
from trace_app.labels.models import LabelRun
from trace_app.recalls.models import Recall, RecallMember, RecallNotice
from trace_app.scanning import layer as scan_layer
from trace_app.scanning import lease as leases
from trace_app.scanning.layer import FRESH_S, RunReading
from trace_app.scanning.lease import StopLease, tables_behind, writes_to
from trace_app.scanning.models import ScanItem, StopEpoch
from trace_app.scanning.reading import RUNS


@pytest.fixture
def leased(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[World, StopLease]]:
    """The scan layer with leases, which tests do without elsewhere."""
    layer = layer_of(world)
    with world.app.app_context():
        lease = StopLease(db.engine, 400)
    lease.between = layer.read_runs_again
    monkeypatch.setattr(layer, "_lease", lease)
    monkeypatch.setattr(layer, "_runs", {})
    monkeypatch.setattr(layer, "_labels", {})
    yield world, lease
    # Its thread lets go of the database by itself when nothing is asked any more.
    time.sleep(leases._IDLE_S + 0.3)


@pytest.fixture
def statements(world: World) -> Iterator[list[str]]:
    """What is asked of the database for scans."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "stop_epochs" not in statement and "pg_locks" not in statement and " IN (" not in statement:
            found.append(statement)

    event.listen(sa.Engine, "before_cursor_execute", note)
    yield found
    event.remove(sa.Engine, "before_cursor_execute", note)


def test_under_a_lease_nothing_is_read_twice(leased: tuple[World, StopLease], statements: list[str]) -> None:
    world, lease = leased
    _lot, code = world.labelled(world.producer())
    ask(world.app.wsgi_app, code)
    world.app.extensions["scan_log"].hand_over()
    until_leased(lease)
    ask(world.app.wsgi_app, code)
    statements.clear()
    for _ in range(20):
        assert ask(world.app.wsgi_app, code)[0].startswith("200")
        assert lease.epoch(time.monotonic()) is not None
    assert statements == []


def test_who_is_signed_in_sees_a_change_at_once(leased: tuple[World, StopLease]) -> None:
    world, lease = leased
    grower = world.producer()
    lot, code = world.labelled(grower)
    ask(world.app.wsgi_app, code)
    until_leased(lease)
    ask(world.app.wsgi_app, code)
    world.record(grower, lot, note="刚刚记的")
    assert "刚刚记的" in world.client(grower).get(f"/{code}").text


def test_a_new_record_is_on_consumers_pages_within_two_seconds(leased: tuple[World, StopLease]) -> None:
    world, lease = leased
    grower = world.producer()
    lot, code = world.labelled(grower)
    ask(world.app.wsgi_app, code)
    until_leased(lease)
    ask(world.app.wsgi_app, code)
    world.record(grower, lot, note="刚刚记的")
    saved = asked = time.monotonic()
    while "刚刚记的" not in ask(world.app.wsgi_app, code)[2].decode():
        assert asked - saved < 2.0
        time.sleep(0.02)
        asked = time.monotonic()


def test_a_withdrawn_certificate_is_on_the_pages_of_its_lots_labels_at_once(leased: tuple[World, StopLease]) -> None:
    world, lease = leased
    grower = world.producer()
    lot, code = world.labelled(grower)
    client = world.client(grower)
    data = {"quantity": "8600", "bases": ["own_control"]}
    assert client.post(f"/batches/{lot}/commitments", data=data).status_code == 302
    ask(world.app.wsgi_app, code)
    until_leased(lease)
    assert "已作废" not in ask(world.app.wsgi_app, code)[2].decode()
    assert client.post("/commitments/1/withdraw", data={"reason": "开错"}).status_code == 302
    assert "已作废" in ask(world.app.wsgi_app, code)[2].decode()


def test_what_is_in_use_is_read_again_beside_the_scans(
    leased: tuple[World, StopLease], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, lease = leased
    monkeypatch.setattr(scan_layer, "READ_AGAIN_S", 0.05)
    _lot, code = world.labelled(world.producer())
    ask(world.app.wsgi_app, code)
    world.app.extensions["scan_log"].hand_over()
    until_leased(lease)
    ask(world.app.wsgi_app, code)
    known = next(iter(layer_of(world)._runs.values()))
    first = known.reading
    while known.reading.read_at < first.read_at + 1.0:
        assert ask(world.app.wsgi_app, code)[0].startswith("200")
        time.sleep(0.01)
    # What says the same is the same object: nothing that was made of it is made anew.
    assert known.reading.state is first.state


def test_a_recall_its_end_and_a_voiding_are_there_at_once(leased: tuple[World, StopLease]) -> None:
    world, lease = leased
    grower, officer = world.producer(), world.regulator()
    lot = world.released(grower)
    run = world.run(grower, lot, 3)
    code = world.code(run, 0)

    def page() -> str:
        return ask(world.app.wsgi_app, code)[2].decode()

    for _ in range(2):
        page()
        until_leased(lease)
    assert "未被召回" in page()
    number = world.recall(officer, lot)
    assert "请勿食用" in page()
    until_leased(lease)
    assert "请勿食用" in page()
    world.client(officer).post(f"/recalls/{number}/withdraw", data={"note": "误报"})
    assert "未被召回" in page()
    until_leased(lease)
    page()
    world.client(grower).post(f"/labels/{run}/void", data={"first": "1", "last": "1", "reason": "印坏"})
    assert ask(world.app.wsgi_app, code)[0].startswith("410")


def _touch_by_session(lot: int, run: int) -> None:
    db.session.get_one(LabelRun, run).voided = "0-0"


def _touch_in_bulk(lot: int, run: int) -> None:
    db.session.execute(sa.update(RecallMember).where(RecallMember.batch_id == lot).values(removed_in=2))


def _touch_by_insert(lot: int, run: int) -> None:
    rows = sa.select(sa.literal(99), sa.literal(lot), sa.literal(1)).where(sa.false())
    db.session.execute(sa.insert(RecallMember).from_select(["recall_id", "batch_id", "added_in"], rows))


def _touch_by_delete(lot: int, run: int) -> None:
    db.session.execute(sa.delete(RecallNotice).where(RecallNotice.recall_id == -1))


def _touch_by_text(lot: int, run: int) -> None:
    db.session.execute(sa.text("UPDATE recalls SET status = 'active' WHERE id = -1"))


@pytest.mark.parametrize(
    "touch", [_touch_by_session, _touch_in_bulk, _touch_by_insert, _touch_by_delete, _touch_by_text]
)
def test_whoever_writes_what_may_stop_a_label_waits_the_leases_out(leased: tuple[World, StopLease], touch: Any) -> None:
    world, lease = leased
    grower = world.producer()
    lot = world.released(grower)
    run = world.run(grower, lot, 3)
    until_leased(lease)
    with world.app.app_context():
        before = db.session.scalar(sa.select(StopEpoch.number))
        with transaction():
            touch(lot, run)
            db.session.flush()
            begun = time.monotonic()
            assert db.session.scalar(sa.select(StopEpoch.number)) == before + 1
        assert time.monotonic() - begun >= 0.1
        assert db.session.scalar(sa.select(StopEpoch.number)) == before + 1


def test_what_stops_nothing_waits_for_nothing(leased: tuple[World, StopLease]) -> None:
    world, lease = leased
    grower = world.producer()
    lot = world.released(grower)
    until_leased(lease)
    with world.app.app_context():
        before = db.session.scalar(sa.select(StopEpoch.number))
    world.record(grower, lot)
    world.run(grower, lot, 3)
    with world.writing():
        db.session.execute(sa.update(Recall).where(Recall.id == -1).values(tasks_made_at=None))
        db.session.execute(sa.update(ScanItem).values(unusual=False))
    with world.app.app_context():
        assert db.session.scalar(sa.select(StopEpoch.number)) == before


def test_a_table_that_a_scan_comes_to_rest_on_stops_labels_unless_someone_says_otherwise() -> None:
    impounded = sa.table("impounded", sa.column("batch_id"))
    further = RUNS.where(~sa.exists().where(impounded.c.batch_id == Batch.id))
    assert tables_behind(further) - tables_behind(RUNS) == {"impounded"}
    stops = writes_to(tables_behind(further))
    for dialect in (sa.dialects.sqlite.dialect(), sa.dialects.postgresql.dialect()):
        for statement in (sa.insert(impounded), sa.update(impounded).values(batch_id=1), sa.delete(impounded)):
            text = str(statement.compile(dialect=dialect))
            assert stops.search(text)
            assert not leases._STOPS.search(text)


def test_every_table_behind_a_scan_stops_labels_or_is_named_as_one_that_does_not() -> None:
    behind = tables_behind(RUNS)
    assert {"recalls", "recall_batches", "recall_notices", "label_runs", "batches", "lot_links"} == behind
    harmless = {name for name in behind if not leases._STOPS.search(f"DELETE FROM {name}")}
    assert harmless == leases.LATE_IS_FINE
    assert not leases._STOPS.search("SELECT * FROM recalls WHERE note = 'update recall_tasks'")
    assert re.search(leases._STOPS, 'UPDATE "recalls" SET tasks_made_at=1, level=2 WHERE id = 1')


def test_no_lease_is_given_while_someone_stops_lots(leased: tuple[World, StopLease]) -> None:
    world, lease = leased
    until_leased(lease)
    with world.app.app_context():
        with transaction():
            begun = time.monotonic()
            leases.stop_leases(db.session.connection())
            time.sleep(0.2)
            for _ in range(10):
                assert lease.epoch(time.monotonic()) is None
                time.sleep(0.01)
        assert time.monotonic() - begun > 0.12
        number = db.session.scalar(sa.select(StopEpoch.number))
    until_leased(lease)
    assert lease.epoch(time.monotonic()) == number


def _break_off() -> None:
    with transaction():
        leases.stop_leases(db.session.connection())
        raise ZeroDivisionError


def test_who_breaks_off_waits_for_nothing_and_holds_nobody_up(leased: tuple[World, StopLease]) -> None:
    world, lease = leased
    until_leased(lease)
    with world.app.app_context():
        begun = time.monotonic()
        with pytest.raises(ZeroDivisionError):
            _break_off()
        assert time.monotonic() - begun < 0.1
    until_leased(lease)


def test_what_was_read_counts_for_one_epoch_and_two_seconds() -> None:
    reading = RunReading(None, 7, 100.0)
    assert reading.counts(7, 100.0 + FRESH_S - 0.01)
    assert not reading.counts(7, 100.0 + FRESH_S)
    assert not reading.counts(8, 100.0)
    assert not RunReading(None, None, 100.0).counts(7, 100.0)
