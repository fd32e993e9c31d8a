"""What the layer in front of Flask reads of labels: in plain SQL, and what it keeps of that under a lease."""

from __future__ import annotations

import sqlite3
import sys
import threading
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from trace_app.db.driver import Driver, connect_postgresql
from trace_app.labels.models import LabelLevel
from trace_app.labels.service import CONTAINERS
from trace_app.public.item import is_unusual, item_line
from trace_app.public.kept_pages import Kept

_NOTICES = "JOIN recalls c ON c.id = m.recall_id AND c.kind != 'drill' JOIN recall_notices n ON n.recall_id = c.id"
PAGE_STATE = (
    f"b.created_at, b.version, (SELECT count(*) FROM recall_batches m {_NOTICES} WHERE m.batch_id = b.id),"
    f" (SELECT count(*) FROM lot_links l JOIN recall_batches m ON m.batch_id = l.source_id {_NOTICES}"
    " WHERE l.target_id = b.id AND l.withdrawn_at IS NULL)"
)
"""Columns that tell one state of a lot's page from another: its registration, its version, and how many notices there
are of what stops it and of what stops the lots that it was made of. Notices are never fewer than before."""
_RUN = (
    "SELECT i.first_at, i.scans, i.unusual, r.count, r.key_number, r.level, r.has_pin, r.voided, b.id, b.status,"
    f" {PAGE_STATE} FROM label_runs r JOIN batches b ON b.id = r.batch_id"
    ' LEFT JOIN scan_items i ON i.run_id = r.id AND i."index" = {mark} WHERE r.id = {mark}'
)
_ITEM = 'SELECT first_at, scans, unusual FROM scan_items WHERE run_id = {mark} AND "index" = {mark}'
_ITEMS = (
    'SELECT i.run_id, i."index", i.first_at, i.scans, i.unusual'
    ' FROM unnest(%s::bigint[], %s::bigint[]) AS asked(run_id, "index") JOIN scan_items i USING (run_id, "index")'
)
STATE_S = 30.0
"""Seconds that a lot's version, and a label's scans, are used again under a lease. What stops a lot ends the lease;
other changes may take that long to reach consumers."""
STATES = 12_000
"""Of either, kept by a worker."""
if TYPE_CHECKING:
    import psycopg
Key = TypeVar("Key")
State = TypeVar("State")


class StateReader:
    """Reads from the latest commit, with one connection for each thread.

    :param mark: what stands for a value in the driver's SQL.
    """

    is_near = False
    """Whether a read takes some microseconds: the database is a file of this machine."""

    def __init__(self, driver: Driver, mark: str) -> None:
        self.error = driver.error
        self._address = driver.address
        self._run, self._item = _RUN.replace("{mark}", mark), _ITEM.replace("{mark}", mark)
        self._local = threading.local()

    def run(self, run: int, index: int) -> tuple[tuple[Any, ...] | None, Any]:
        """Count, key number, level, PIN and voided ranges of a run, id and status of its batch, and `PAGE_STATE`; and
        `item` of one of its labels along with it."""
        row = self._row(self._run, (index, run))
        return (None, None) if row is None else (row[3:], None if row[0] is None else row[:3])

    def item(self, run: int, index: int) -> Any:
        """First scan, scans and unusual scans of a label, None before the first."""
        return self._row(self._item, (run, index))

    def items(self, labels: list[tuple[int, int]]) -> dict[tuple[int, int], Any]:
        """`item` of those of several labels, by run and index, that were scanned before."""
        return {label: row for label in labels if (row := self.item(*label)) is not None}

    def _row(self, query: str, values: tuple[int, ...]) -> tuple[Any, ...] | None:
        raise NotImplementedError


class SqliteReader(StateReader):
    is_near = True

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver, "?")

    def _row(self, query: str, values: tuple[int, ...]) -> Any:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._address, isolation_level=None)
            connection.execute("PRAGMA query_only=ON")
            # Rows at random places: what is read here once is seldom read again, and the system keeps it anyway.
            connection.execute("PRAGMA cache_size=-256")
            self._local.connection = connection
        return connection.execute(query, values).fetchone()


class PostgresqlReader(StateReader):
    """A connection that was lost is opened anew."""

    def __init__(self, driver: Driver) -> None:
        from psycopg import OperationalError

        super().__init__(driver, "%s")
        self._lost = OperationalError

    def items(self, labels: list[tuple[int, int]]) -> dict[tuple[int, int], Any]:
        runs, indices = [run for run, _ in labels], [index for _, index in labels]
        return {(run, index): scans for run, index, *scans in self._cursor(_ITEMS, (runs, indices)).fetchall()}

    def _row(self, query: str, values: tuple[int, ...]) -> Any:
        return self._cursor(query, values).fetchone()

    def _cursor(self, query: str, values: tuple[Any, ...]) -> psycopg.Cursor:
        connection: psycopg.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            try:
                return connection.execute(query, values)
            except self._lost:
                connection.close()
        # A plan that was made while a table was empty would read all of it later on: by index alone.
        by_index = "-c enable_seqscan=off -c enable_bitmapscan=off"
        self._local.connection = connect_postgresql(self._address, by_index)
        cursor: psycopg.Cursor = self._local.connection.execute(query, values)
        return cursor


class States(Generic[Key, State]):
    """What was read of runs or labels, when, and under which lease. Bounded: all is forgotten when it is full."""

    def __init__(self, most: int = STATES) -> None:
        self._most = most
        self._kept: dict[Key, tuple[int, float, State]] = {}

    def get(self, key: Key, epoch: int, now: float) -> tuple[int, float, State] | None:
        """What was read under a lease of this epoch, not long ago, behind epoch and time."""
        found = self._kept.get(key)
        return found if found is not None and found[0] == epoch and now - found[1] < STATE_S else None

    def keep(self, key: Key, value: State, epoch: int, now: float) -> None:
        """Keep what was read, where a lease of this epoch was held as the reading began."""
        if len(self._kept) >= self._most:
            self._kept = {}
        self._kept[key] = (epoch, now, value)


def reader_for(driver: Driver) -> StateReader:
    return SqliteReader(driver) if driver.is_sqlite else PostgresqlReader(driver)


class Run(NamedTuple):
    """What was read of a label run that opens trace pages."""

    labels: int
    """How many it has."""
    key_number: int
    voided: str
    kept: Kept
    version: tuple[Any, ...]
    """`PAGE_STATE`."""
    is_single: bool
    """Whether each label is a single item's, whose scans its page tells."""

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> Run | None:
        """None where Flask must say more."""
        count, key_number, level, has_pin, voided, batch_id, status, *version = row
        # A draft has labels only where a recall took it in; a container's page shows what lies inside.
        if status == "draft" or level in CONTAINERS:
            return None
        kept = (batch_id, sys.intern(level), bool(has_pin))
        return cls(count, key_number, voided, kept, tuple(version), level == LabelLevel.ITEM)


class Item:
    """What a page says of a single label: of its scans before, and whether they were unusual.

    :param row: first scan, scans and unusual scans as the database has them; None before the first.
    """

    __slots__ = ("_first_at", "_made", "_scans", "unusual")

    def __init__(self, row: tuple[Any, int, Any] | None) -> None:
        first_at: int | None
        first_at, scans, unusual = row or (None, 0, False)
        self._first_at, self._scans = first_at, scans
        self.unusual = is_unusual(scans, unusual)
        self._made = ("", b"")

    def line(self, language: str) -> bytes:
        """Made once for all who ask in one language after the other."""
        made = self._made
        if made[0] != language:
            made = self._made = (language, item_line(self._first_at, self._scans, language))
        return made[1]


UNSCANNED = Item(None)
