"""A batch's version goes up in the same transaction as any change that its trace page shows.

The page is cached by that version, so nothing may be forgotten here. What the page shows is listed once,
by model; the session itself tells when one of them changes, so that no service has to think of it. The same
change makes the batch due for a compliance check; what only the rules look at is listed beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from trace_app.accounts.models import Division, Organisation
from trace_app.batches.models import Batch, BatchRevision
from trace_app.catalogue.models import Product, ProductKind, Site, Stage
from trace_app.extensions import db

Condition = Callable[[Any], sa.ColumnElement[bool]]


def _of_kind(kind_code: str) -> sa.ColumnElement[bool]:
    return Batch.product_id.in_(sa.select(Product.id).where(Product.kind_code == kind_code))


_SHOWN: dict[type, list[Condition]] = {
    Batch: [lambda batch: Batch.id == batch.id],
    BatchRevision: [lambda revision: Batch.id == revision.batch_id],
    Product: [lambda product: Batch.product_id == product.id],
    Site: [lambda site: Batch.site_id == site.id],
    Organisation: [lambda producer: Batch.producer_id == producer.id],
    ProductKind: [lambda kind: _of_kind(kind.code)],
    Stage: [lambda stage: _of_kind(stage.kind_code)],
    Division: [lambda division: Batch.division_code.startswith(division.code)],
}


_JUDGED: dict[type, list[Condition]] = {}


def shown_on_trace_pages(model: type, batches: Condition) -> None:
    """Have changes to a model of a feature above raise the versions of the batches that show it.

    :param batches: gives the condition on `Batch` for a row of the model.
    """
    _SHOWN.setdefault(model, []).append(batches)


def judged_by_rules(model: type, batches: Condition) -> None:
    """Have changes to a model make the batches that a condition names due for a compliance check."""
    _JUDGED.setdefault(model, []).append(batches)


CHANGED: dict[str, object] = {"version": Batch.version + 1, "checked_on": None}
"""What a change that the trace page shows does to a batch."""
_DUE: dict[str, object] = {"checked_on": None}


def hold_in_order(connection: sa.Connection, batches: sa.ColumnElement[bool]) -> None:
    """Hold the batches that a condition names, by id: whoever changes several takes them in one order.

    By a statement of its own. Within the UPDATE it would hold the latest state of a row while the UPDATE still asks for
    the one that it saw at its beginning, for which others may queue: a deadlock of two who want one row.
    """
    if connection.dialect.name == "postgresql":
        held = sa.select(Batch.id).where(batches).order_by(Batch.id).with_for_update(of=Batch, key_share=True)
        connection.execute(sa.select(sa.func.count()).select_from(held.subquery()))


def raise_versions(batches: sa.ColumnElement[bool]) -> None:
    """Raise the versions of the batches that a condition names, where the session does not see what has changed."""
    _change(db.session, batches, CHANGED)


def _change(session: Any, batches: sa.ColumnElement[bool], values: dict[str, object]) -> None:
    hold_in_order(session.connection(), batches)
    session.execute(sa.update(Batch).where(batches).values(values), execution_options={"synchronize_session": False})


@event.listens_for(Session, "after_flush")
def _raise_versions(session: Session, _context: object) -> None:
    changed = {row for row in session.dirty if session.is_modified(row)} | set(session.new) | set(session.deleted)
    for listed, values in ((_SHOWN, CHANGED), (_JUDGED, _DUE)):
        conditions = [condition(row) for row in changed for condition in listed.get(type(row), [])]
        if conditions:
            _change(session, sa.or_(*conditions), values)
