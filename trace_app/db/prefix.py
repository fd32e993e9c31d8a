"""Comparing beginnings so that an index is used, on both databases."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from trace_app.extensions import db

_LAST = "\U0010ffff"


def begins_with(column: Any, text: str) -> sa.ColumnElement[bool]:
    """Whether a column's text begins with another, upper and lower case told apart.

    PostgreSQL takes the index of ``text_pattern_ops`` for LIKE; SQLite, whose LIKE knows no case, any index for a range.
    """
    if db.engine.dialect.name == "postgresql":
        return sa.and_(column.startswith(text, autoescape=True))
    return sa.and_(column >= text, column < text + _LAST)
