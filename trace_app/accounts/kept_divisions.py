"""Divisions as this process has read them: a list that the platform ships, which changes only when it is set up anew."""

from __future__ import annotations

from sqlalchemy.orm import Session

from trace_app.accounts.models import Division
from trace_app.extensions import db

_kept: dict[str, Division] = {}


def kept_division(code: str) -> Division:
    """A division with all above it, bound to no session: only to be read."""
    kept = _kept.get(code)
    if kept is None:
        with Session(db.engine) as session:
            above = kept = session.get_one(Division, code)
            while above.parent is not None:
                above = above.parent
            session.expunge_all()
        _kept[code] = kept
    return kept
