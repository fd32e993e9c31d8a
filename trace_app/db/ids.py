"""Many row numbers as a table that queries join: given by Python, or found by a query and kept for a while."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from trace_app.extensions import db

_KEPT = sa.table("kept_ids", sa.column("id", sa.BigInteger))


def table_of(ids: Collection[int], name: str = "ids") -> Any:
    """A selectable with the column ``id``, of one parameter however many they are."""
    if db.engine.dialect.name == "postgresql":
        array = sa.cast(list(ids), ARRAY(sa.BigInteger))
        return sa.func.unnest(array).table_valued("id").render_derived(name)
    listed = sa.func.json_each(json.dumps(list(ids))).table_valued("value", name=f"{name}_json")
    return sa.select(listed.c.value.label("id")).subquery(name)


@contextmanager
def kept(query: sa.Select[Any]) -> Iterator[Any]:
    """The numbers that a query finds, as a temporary table with the column ``id``: found once, asked about many times.

    One at a time in a session.
    """
    postgresql = db.engine.dialect.name == "postgresql"
    # In order, so that neighbours are read one after the other in the tables that they are joined to.
    kind = "BIGINT" if postgresql else "INTEGER PRIMARY KEY"
    rows = query.order_by(next(iter(query.selected_columns))) if postgresql else query
    db.session.execute(sa.text(f"CREATE TEMPORARY TABLE {_KEPT.name} (id {kind})"))
    try:
        db.session.execute(sa.insert(_KEPT).from_select(["id"], rows))
        db.session.execute(sa.text(f"ANALYZE {_KEPT.name}"))
        if postgresql:
            # Row by row through an index: a hash would read whole tables of a million lots for some ten thousand.
            db.session.execute(sa.text("SET LOCAL enable_hashjoin = off"))
            db.session.execute(sa.text("SET LOCAL enable_mergejoin = off"))
        yield _KEPT
    finally:
        # Where the transaction has failed, the table is gone with it.
        if db.session.is_active:
            db.session.execute(sa.text(f"DROP TABLE {_KEPT.name}"))
