"""Comparing texts in a way that both databases are quick at."""

from __future__ import annotations

import sqlalchemy as sa

from trace_app.extensions import db

_LAST = "\U0010ffff"


def begins_with(column: sa.SQLColumnExpression[str | None], text: str) -> sa.ColumnElement[bool]:
    """Whether a column's text begins with another, upper and lower case told apart.

    PostgreSQL takes the index of ``text_pattern_ops`` for LIKE; SQLite, whose LIKE knows no case, any index for a
    range.
    """
    if db.engine.dialect.name == "postgresql":
        return sa.and_(column.startswith(text, autoescape=True))
    return sa.and_(column >= text, column < text + _LAST)


def has_text(column: sa.SQLColumnExpression[str], text: str) -> sa.ColumnElement[bool]:
    """Whether a text is somewhere in a column's, whatever the case of Latin letters (A to Z; full-width ones as they
    are).

    Folded only where it must be: SQLite's LIKE knows no case, and Chinese has none. PostgreSQL's ILIKE folds all
    letters of the world one by one, which takes five times as long.
    """
    # Of bytes, lower() and upper() change what PostgreSQL's do under the collation C.
    folded = text.encode().lower().decode()
    if db.engine.dialect.name == "postgresql" and folded.encode() != text.encode().upper():
        column, text = sa.func.lower(sa.collate(column, "C")), folded
    return sa.and_(column.contains(text, autoescape=True))
