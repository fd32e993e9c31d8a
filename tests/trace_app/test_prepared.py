"""Statements that run as text: they read and write what SQLAlchemy does, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from tests.trace_app.scanning.asking import PHONE
from tests.world import World
from trace_app.db.prepared import PreparedInsert, PreparedSelect
from trace_app.extensions import db
from trace_app.scanning.models import ScanDay, ScanItem, scans
from trace_app.scanning.reading import RUNS, reading_connection


def test_runs_and_scans_are_read_as_sqlalchemy_reads_them(world: World) -> None:
    grower = world.producer()
    (_one, first), (two, _second) = world.labelled(grower), world.labelled(grower, "coix")
    world.recall(world.regulator(), two)
    world.client().get(f"/{first}", headers=PHONE)
    world.app.extensions["scan_log"].hand_over()
    with world.app.app_context():
        for statement in (RUNS, sa.select(ScanItem), sa.select(ScanDay), sa.select(scans)):
            with reading_connection(db.engine) as connection:
                expected = [tuple(row) for row in connection.execute(statement)]
                read = PreparedSelect(statement, db.engine.dialect).rows(connection, {})
            assert [tuple(row) for row in read] == expected
            assert expected


def test_rows_are_written_as_sqlalchemy_writes_them(world: World) -> None:
    at = datetime(2026, 11, 27, 23, 30, 15, tzinfo=UTC)
    rows = [
        (at, "shown", 7, None, 3, "云南曲靖", "wechat", "zh", 1 << 62),
        (at, "void", None, 2, None, "", "", "en", 0),
    ]
    names = [column.name for column in scans.columns]
    with world.app.app_context():
        PreparedInsert(sa.insert(scans), names, db.engine.dialect).execute(db.session.connection(), rows)
        assert [tuple(row) for row in db.session.execute(sa.select(scans))] == rows
        db.session.rollback()
        db.session.execute(sa.insert(scans), [dict(zip(names, row, strict=True)) for row in rows])
        assert [tuple(row) for row in db.session.execute(sa.select(scans))] == rows
        db.session.rollback()


def test_days_are_written_as_days(world: World) -> None:
    lot, _code = world.labelled(world.producer())
    names = ["batch_id", "day", "region", "client", "language", "scans"]
    with world.app.app_context():
        insert = PreparedInsert(sa.insert(ScanDay), names, db.engine.dialect)
        insert.execute(db.session.connection(), [(lot, date(2026, 2, 28), "", "", "zh", 5)])
        db.session.commit()
        assert [(row.day, row.scans) for row in db.session.scalars(db.select(ScanDay))] == [(date(2026, 2, 28), 5)]


def test_what_the_database_refuses_is_an_error_of_sqlalchemys(world: World) -> None:
    with world.app.app_context(), reading_connection(db.engine) as connection:
        gone = PreparedSelect(sa.select(sa.column("a")).select_from(sa.table("no_such_table")), db.engine.dialect)
        with pytest.raises(sa.exc.DBAPIError) as caught:
            gone.rows(connection, {})
        assert not caught.value.connection_invalidated
        assert connection.execute(sa.select(1)).scalar() == 1
