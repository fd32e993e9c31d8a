"""Kinds and their stages as this process has read them: the same for thousands of lots, and changed once in a season."""

from __future__ import annotations

from sqlalchemy.orm import Session

from trace_app.catalogue.models import ProductKind
from trace_app.extensions import db

_kept: dict[str, ProductKind] = {}
"""By code, bound to no session, with their stages. Only ever read."""


def fill_kind(kind: ProductKind) -> None:
    """Give a kind of which only code and edition were read all the rest, stages included.

    No statement is needed where this process has read this edition before. An edition is never given twice, so what is
    kept under it is what the reader's database has, whichever that is.
    """
    kept = _kept.get(kind.code)
    if kept is None or kept.edition != kind.edition or not kind.edition:
        with Session(db.engine) as session:
            kept = session.get_one(ProductKind, kind.code)
            session.expunge_all()
        _kept[kind.code] = kept
    db.session.merge(kept, load=False)
