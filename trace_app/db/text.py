"""Comparing texts in a way that both databases are quick at."""

from __future__ import annotations

from typing import cast

import sqlalchemy as sa

from trace_app.extensions import db
from trace_app.folding import written_plainly

_LAST = "\U0010ffff"


def begins_with(column: sa.SQLColumnExpression[str | None], text: str) -> sa.ColumnElement[bool]:
    """Whether a column's text begins with another, upper and lower case told apart.

    PostgreSQL takes the index of ``text_pattern_ops`` for LIKE; SQLite, whose LIKE knows no case, any index for a
    range.
    """
    if db.engine.dialect.name == "postgresql":
        return sa.and_(column.startswith(text, autoescape=True))
    return sa.and_(column >= text, column < text + _LAST)


def any_has_text(text: str, *columns: sa.SQLColumnExpression[str | None]) -> sa.ColumnElement[bool]:
    """Whether a text is somewhere in one of some columns'; see `has_text`."""
    return sa.or_(*(has_text(column, text) for column in columns))


def has_text(column: sa.SQLColumnExpression[str | None], text: str) -> sa.ColumnElement[bool]:
    """Whether a text is somewhere in a column's, whatever the case of Latin letters (A to Z; full-width ones as they
    are).

    Folded only where it must be: SQLite's LIKE knows no case, and Chinese has none. PostgreSQL's ILIKE folds all
    letters of the world one by one, which takes five times as long.
    """
    # Of bytes, lower() and upper() change what PostgreSQL's do under the collation C.
    folded = text.encode().lower().decode()
    if db.engine.dialect.name == "postgresql" and folded.encode() != text.encode().upper():
        column, text = sa.func.lower(sa.collate(cast("sa.SQLColumnExpression[str]", column), "C")), folded
    return sa.and_(column.contains(text, autoescape=True))


def same_number(column: sa.SQLColumnExpression[str], text: str) -> sa.ColumnElement[bool]:
    """Whether a column has a number, but for case, width, kind of dash and spaces. Forms write it plainly as it comes.

    Unlike `folding.fold` this keeps what stands between the parts of a number: 26-1-12 and 26-11-2 are two. The
    database has an index of just this for each owner, in which no number comes twice (docs/decisions/0064).
    """
    plain: sa.SQLColumnExpression[str] = sa.func.replace(column, " ", "")
    if db.engine.dialect.name == "postgresql":
        plain = sa.collate(plain, "C")
    # As bytes: both fold A to Z alone.
    wanted = (written_plainly(text) or "").replace(" ", "").encode().upper().decode()
    return sa.and_(sa.func.upper(plain) == wanted)
