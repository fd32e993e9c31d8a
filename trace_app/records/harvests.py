"""What the records of a harvest say of the lot itself: when it became goods, and how much there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation

import sqlalchemy as sa

from trace_app.accounts import audit
from trace_app.accounts.models import User
from trace_app.batches.models import Batch, BatchStatus
from trace_app.catalogue.models import Stage
from trace_app.extensions import db
from trace_app.records.models import QUANTITY, Record, RecordType
from trace_app.units import converted

ROLE = "harvest"


def is_harvest(kind_code: str, stage_code: str | None) -> bool:
    """Whether a stage of a kind is its harvest."""
    if stage_code is None:
        return False
    role = sa.select(Stage.role).filter_by(kind_code=kind_code, code=stage_code)
    return db.session.execute(role).scalar() == ROLE


def say_when(user_id: int | None, batch_ids: Iterable[int], day: date) -> None:
    """Have drafts of which nobody has said when they became goods have done so on the day of their harvest.

    The caller holds the lots.
    """
    fits = sa.and_(Batch.started_on <= day, sa.or_(Batch.best_before.is_(None), Batch.best_before >= day))
    query = db.select(Batch).where(
        Batch.id.in_(list(batch_ids)), Batch.status == BatchStatus.DRAFT, Batch.produced_on.is_(None), fits
    )
    user = db.session.get(User, user_id) if user_id is not None else None
    _state(user, list(db.session.scalars(query)), day)


def say_otherwise(user: User, batches: Iterable[Batch], old: Record, day: date | None) -> None:
    """Have drafts follow a harvest that is corrected or withdrawn, where they had their day from it.

    :param day: None where it is withdrawn.
    """
    if not is_harvest(old.kind_code, old.stage_code):
        return
    follow = [batch for batch in batches if batch.status is BatchStatus.DRAFT and batch.produced_on == old.happened_on]
    _state(user, [batch for batch in follow if day is None or batch.started_on <= day], day)


def _state(user: User | None, batches: Iterable[Batch], day: date | None) -> None:
    for batch in batches:
        batch.produced_on = day
        audit.note(user, "harvest", batch, produced_on=day.isoformat() if day else None)
    db.session.flush()


def harvested(batch: Batch, records: Iterable[Record]) -> Decimal | None:
    """How much was harvested of a lot, in its own unit; None where its records don't say.

    A record of several lots says how much they gave together, and of none of them how much that one gave.

    :param records: in force.
    """
    said = list(_quantities(batch, records))
    if any(record.is_shared for record, _amount in said):
        return None
    known = [amount for _record, amount in said if amount is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(said) else None


def shared_harvests(batch: Batch, records: Iterable[Record]) -> list[tuple[Record, Decimal]]:
    """The harvests that a lot shares with others, with how much they all gave together, in the lot's unit.

    :param records: in force.
    """
    said = _quantities(batch, records)
    return [(record, amount) for record, amount in said if record.is_shared and amount is not None]


def _quantities(batch: Batch, records: Iterable[Record]) -> Iterator[tuple[Record, Decimal | None]]:
    """What records of harvests say of how much there was, in the lot's unit; None where that can't be told."""
    codes = {
        (stage.code, field.code): field.unit or ""
        for stage in batch.product.kind.stages
        if stage.role == ROLE
        for field in stage.fields
        if field.code.startswith(QUANTITY)
    }
    for record in records:
        if record.type is not RecordType.STAGE:
            continue
        for (stage_code, code), unit in codes.items():
            amount = _number(record.values.get(code)) if record.stage_code == stage_code else None
            if amount is not None:
                yield record, converted(amount, unit, batch.unit)


def _number(text: str | None) -> Decimal | None:
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        return None
