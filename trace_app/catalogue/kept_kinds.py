"""Kinds and their stages as this process has read them: the same for thousands of lots, and changed once in a season."""

from __future__ import annotations

from sqlalchemy.orm import Session

from trace_app.catalogue.models import ProductKind
from trace_app.extensions import db

_kept: dict[str, ProductKind] = {}


def kept_kind(code: str, edition: str) -> ProductKind:
    """A kind with its stages, bound to no session: only to be read.

    No statement is needed where this process has read this edition before. An edition is never given twice, so what is
    kept under it is what the reader's database has, whichever that is.
    """
    kept = _kept.get(code)
    if kept is None or kept.edition != edition or not edition:
        with Session(db.engine) as session:
            kept = session.get_one(ProductKind, code)
            session.expunge_all()
        _kept[code] = kept
    return kept
