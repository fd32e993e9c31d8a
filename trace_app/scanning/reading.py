"""What the layer in front of Flask reads of labels, each time from the latest commit."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from trace_app.batches.models import Batch, notices_on
from trace_app.clock import is_past
from trace_app.db.base import Id
from trace_app.db.prepared import PreparedSelect
from trace_app.labels.models import LabelLevel, LabelRun
from trace_app.labels.service import CONTAINERS
from trace_app.scanning.item_line import is_unusual, item_line
from trace_app.scanning.models import ScanItem
from trace_app.scanning.pages import PageKey

_LINKS = sa.table("lot_links", *map(sa.column, ("source_id", "target_id", "withdrawn_at")))


def _notices_on_sources(batch_id: Id) -> sa.ScalarSelect[int]:
    """How many notices there are of what stops the lots that a lot was made of."""
    notices = sa.func.coalesce(sa.func.sum(notices_on(_LINKS.c.source_id)), 0)
    return (
        sa.select(sa.cast(notices, sa.BigInteger))
        .where(_LINKS.c.target_id == batch_id, _LINKS.c.withdrawn_at.is_(None))
        .correlate_except(_LINKS)
        .scalar_subquery()
    )


def page_state() -> list[sa.ColumnElement[Any]]:
    """Columns that tell one state of a lot's page from another: its registration, its version, and how many notices
    there are of what stops it and of what stops the lots that it was made of. Notices are never fewer than before."""
    registered: sa.ColumnElement[str] = sa.type_coerce(Batch.created_at, sa.String)
    return [registered, Batch.__table__.c.version, notices_on(Batch.id), _notices_on_sources(Batch.id)]


RUNS: sa.Select[Any] = sa.select(
    LabelRun.id,
    LabelRun.count,
    sa.type_coerce(LabelRun.level, sa.String),
    LabelRun.has_pin,
    LabelRun.voided,
    Batch.id,
    sa.type_coerce(Batch.status, sa.String),
    sa.cast(Batch.best_before, sa.String),
    *page_state(),
).join(Batch, Batch.id == LabelRun.batch_id)
"""What every scan's answer rests on. The tables that it names are those that may stop a label: see `lease`."""
_RUN = RUNS.where(LabelRun.key_number == sa.bindparam("key"), LabelRun.run_number == sa.bindparam("number"))
"""What a run is found by, as the code says it. Runs of documents, which name no lot, are left to Flask."""
_VERSIONS = sa.select(Batch.id, Batch.__table__.c.version).where(Batch.id.in_(sa.bindparam("lots", expanding=True)))
_ITEM = sa.select(ScanItem.first_at, ScanItem.scans, ScanItem.unusual).where(
    ScanItem.run_id == sa.bindparam("run"), ScanItem.index == sa.bindparam("place")
)


class RunState(NamedTuple):
    """What was read of a label run that opens trace pages."""

    run_id: int
    """The id of its row, by which scans are kept."""
    labels: int
    """How many it has."""
    voided: str
    page: PageKey
    version: tuple[object, ...]
    """`page_state` of its lot, and whether its best-before date is over."""
    is_single: bool
    """Whether each label is a single item's, whose scans its page tells."""
    lot_version: int
    """The lot's version, which is a part of ``version``."""


class ItemState:
    """What a page says of a single label: of its scans before, and whether they were unusual."""

    __slots__ = ("_first_at", "_line", "_scans", "unusual")

    def __init__(self, first_at: datetime | None = None, scans: int = 0, unusual: bool = False) -> None:
        self._first_at, self._scans = first_at, scans
        self.unusual = is_unusual(scans, unusual)
        self._line = ("", b"")

    def line(self, language: str) -> bytes:
        """The line, made once for all who ask in one language after the other."""
        if self._line[0] != language:
            self._line = (language, item_line(self._first_at, self._scans, language))
        return self._line[1]


UNSCANNED = ItemState()


class LabelReader:
    """Reads statement by statement. Each thread holds one connection of the engine's, and takes another when it is
    lost.

    :ivar error: what is raised where the database does not answer.
    """

    error = sa.exc.SQLAlchemyError

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._held = threading.local()
        self._run = PreparedSelect(_RUN, engine.dialect)
        self._item = PreparedSelect(_ITEM, engine.dialect)

    def run(self, key_number: int, run_number: int) -> RunState | None:
        """The run of a code as it is; None where it opens no trace page that is kept."""
        wanted = {"key": key_number, "number": run_number}
        rows = self._read(lambda connection: self._run.rows(connection, wanted))
        return _state(rows[0]) if rows else None

    def versions(self, batch_ids: Iterable[int]) -> dict[int, int]:
        """The versions of many lots, by their ids: what goes up with every change that their pages show."""
        lots = list(batch_ids)
        return dict(self._read(lambda connection: connection.execute(_VERSIONS, {"lots": lots}).all()))

    def item(self, run_id: int, index: int) -> ItemState | None:
        """A label's scans; None before the first."""
        rows = self._read(lambda connection: self._item.rows(connection, {"run": run_id, "place": index}))
        return ItemState(*rows[0]) if rows else None

    def _read(self, read: Callable[[sa.Connection], Sequence[Any]]) -> Sequence[Any]:
        if getattr(self._held, "connection", None) is not None:
            try:
                return read(self._held.connection)
            except sa.exc.DBAPIError as error:
                self.let_go()
                if not error.connection_invalidated:
                    raise
        self._held.connection = reading_connection(self._engine)
        return read(self._held.connection)

    def let_go(self) -> None:
        """Give this thread's connection back."""
        connection, self._held.connection = getattr(self._held, "connection", None), None
        if connection is not None:
            connection.close()


def reading_connection(engine: sa.Engine) -> sa.Connection:
    """A connection on which each statement stands for itself and reads from the latest commit."""
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT", sqlite_begin="")


def _state(row: Sequence[Any]) -> RunState | None:
    run_id, count, level, has_pin, voided, batch_id, status, best_before, *version = row
    # A draft has labels only where a recall took it in; a container's page shows what lies inside.
    if status == "draft" or level in CONTAINERS:
        return None
    key = PageKey(batch_id, sys.intern(level), has_pin)
    is_over = is_past(date.fromisoformat(best_before) if best_before else None)
    return RunState(run_id, count, voided, key, (*version, is_over), level == LabelLevel.ITEM, version[1])
