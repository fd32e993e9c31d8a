"""Many row numbers as a table that queries join: one parameter, however many they are."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from trace_app.extensions import db


def table_of(ids: Collection[int], name: str = "ids") -> Any:
    """A selectable with the column ``id``."""
    if db.engine.dialect.name == "postgresql":
        array = sa.cast(list(ids), ARRAY(sa.BigInteger))
        return sa.func.unnest(array).table_valued("id").render_derived(name)
    listed = sa.func.json_each(json.dumps(list(ids))).table_valued("value", name=f"{name}_json")
    return sa.select(listed.c.value.label("id")).subquery(name)
