"""Many row numbers that queries ask about: given by Python, or reached over links and kept for a while."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import ARRAY

from trace_app.db.base import Id
from trace_app.db.session import count_written
from trace_app.extensions import db

_REACHED = sa.table("reached_ids", sa.column("id", sa.Integer), sa.column("step", sa.Integer))
"""The temporary table on SQLite: a row for each number."""
_ARRAY = ARRAY(sa.Integer)
_REACHED_ARRAY = sa.table("reached_ids", sa.column("ids", _ARRAY))
"""The temporary table on PostgreSQL: one row with all numbers, in order."""
_MOST_STEPS = 10_000
"""Further than any chain of lots; only that a circle, which nothing lets in, would end."""


def chosen(ids: Collection[int]) -> sa.Select[int]:
    """A SELECT of given numbers, with one parameter however many they are."""
    if db.engine.dialect.name == "postgresql":
        array = sa.cast(list(ids), ARRAY(sa.BigInteger))
        return sa.select(sa.func.unnest(array).table_valued("id").render_derived("ids").c.id)
    return sa.select(sa.func.json_each(json.dumps(list(ids))).table_valued("value", name="ids").c.value)


class ReachedIds:
    """Row numbers in a temporary table of the session."""

    @property
    def ids(self) -> sa.Select[int]:
        """A SELECT of them, in order."""
        if db.engine.dialect.name == "postgresql":
            found = sa.select(sa.func.unnest(_REACHED_ARRAY.c.ids).label("id")).subquery()
            return sa.select(found.c.id)
        return sa.select(_REACHED.c.id).order_by(_REACHED.c.id)

    def have(self, column: Id) -> sa.ColumnElement[bool]:
        """The condition, in a query without others on this table, that a column's number is one of them.

        PostgreSQL looks the array up in an index from left to right (version 17 and later: without beginning anew for
        each number), which takes a fifth of a join's time; SQLite joins.
        """
        if db.engine.dialect.name == "postgresql":
            array = sa.cast(sa.select(_REACHED_ARRAY.c.ids).scalar_subquery(), _ARRAY)
            return sa.and_(column == sa.func.any(array))
        return sa.and_(column == _REACHED.c.id)


@contextmanager
def reached(begin: sa.Select[int], here: Id, there: Id, standing: sa.ColumnElement[bool]) -> Iterator[ReachedIds]:
    """The numbers that a query finds with all that links lead to from them, in a temporary table: found once, asked
    about many times. One at a time in a session.

    A step at a time: many neighbours looked up together cost half of as many looked up one by one.

    :param here: the column of a link where it comes from.
    :param there: the column of where it goes.
    :param standing: which links count.
    """
    reach, columns = _reach_on_sqlite, "id INTEGER PRIMARY KEY, step INTEGER"
    if db.engine.dialect.name == "postgresql":
        reach, columns = _reach_on_postgresql, "ids INTEGER[]"
    db.session.execute(sa.text(f"CREATE TEMPORARY TABLE {_REACHED.name} ({columns})"))
    drop = True
    try:
        reach(begin, here, there, standing)
        yield ReachedIds()
    except sa.exc.DBAPIError:
        # The transaction has failed, and the table goes with it.
        drop = False
        raise
    finally:
        if drop:
            db.session.execute(sa.text(f"DROP TABLE {_REACHED.name}"))
            if db.engine.dialect.name == "postgresql":
                db.session.execute(sa.text("SET LOCAL enable_sort TO DEFAULT"))


def _reach_on_postgresql(begin: sa.Select[int], here: Id, there: Id, standing: sa.ColumnElement[bool]) -> None:
    """Fill the table by one statement, with the numbers of each step as an array."""
    first = sa.select(sa.literal(0).label("step"), sa.func.array(begin.scalar_subquery(), type_=_ARRAY).label("ids"))
    steps = first.cte("steps", recursive=True)
    following = sa.select(there).where(here == sa.func.any(steps.c.ids), standing).correlate(steps)
    steps = steps.union_all(
        sa.select(steps.c.step + 1, sa.func.array(following.scalar_subquery(), type_=_ARRAY)).where(
            sa.func.cardinality(steps.c.ids) > 0, steps.c.step < _MOST_STEPS
        )
    )
    found = sa.select(sa.func.unnest(steps.c.ids).label("id")).subquery()
    # In order, so that neighbours are read one after the other in the tables that are asked.
    whole = sa.select(sa.func.coalesce(sa.func.array_agg(found.c.id.distinct()), sa.cast(sa.literal("{}"), _ARRAY)))
    # As it is: packing numbers takes longer than reading them.
    db.session.execute(sa.text(f"ALTER TABLE {_REACHED.name} ALTER ids SET STORAGE EXTERNAL"))
    db.session.execute(sa.insert(_REACHED_ARRAY).from_select(["ids"], whole))
    # The planner takes the array for one of ten numbers, which it would sort to count them by texts: hashed they take
    # half of the time. What has to be sorted still is.
    db.session.execute(sa.text("SET LOCAL enable_sort TO off"))


def _reach_on_sqlite(begin: sa.Select[int], here: Id, there: Id, standing: sa.ColumnElement[bool]) -> None:
    start = begin.subquery()
    db.session.execute(sa.insert(_REACHED).from_select(["id", "step"], sa.select(next(iter(start.c)), sa.literal(0))))
    step: sa.BindParameter[int] = sa.bindparam("step", type_=sa.Integer)
    edge = sa.select(_REACHED.c.id).where(_REACHED.c.step == step)
    further = (
        sqlite.insert(_REACHED)
        .from_select(["id", "step"], sa.select(there, step + 1).where(here.in_(edge), standing))
        .on_conflict_do_nothing()
    )
    number = 0
    while count_written(further, {"step": number}):
        number += 1
    # Told how many they are, or it would walk a whole index of a million rows.
    db.session.execute(sa.text(f"ANALYZE {_REACHED.name}"))
