"""Which lots a record counts for: said once, here, and read in three directions.

From a record to lots: the trace pages that it makes stale, and the lots that a recall by input reaches. From a lot to
records: what its page shows and the rules judge. All three ask `coverage`, with conditions on `Record` or on `Batch`.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.extensions import db
from trace_app.inputs.ingredients import keys_meant
from trace_app.inputs.models import InputIngredient, StockLot
from trace_app.records.models import Record, RecordIngredient, RecordWithdrawal, record_batches


def coverage(*conditions: sa.ColumnElement[bool]) -> sa.CompoundSelect[int, int]:
    """Pairs of ``record_id`` and ``batch_id``: each record with each lot that it counts for.

    A record counts for the lot that it was made for, for the further lots that it names, and, where it was made for a
    whole site, for the lots of its kind there that had begun when its season ended and were not finished before its
    day. Corrected and withdrawn records are among them; see `counts`.

    :param conditions: on `Record`, on `Batch`, or both; they narrow each of the three ways, so that each is found by an
        index of its own.
    """
    pair = sa.select(Record.id.label("record_id"), Batch.id.label("batch_id"))
    of_its_own = pair.join_from(Record, Batch, Batch.id == Record.batch_id)
    of_further_lots = pair.join_from(Record, record_batches, record_batches.c.record_id == Record.id).join(
        Batch, Batch.id == record_batches.c.batch_id
    )
    of_a_whole_site = (
        pair.join_from(Record, Batch, Batch.site_id == Record.site_id)
        .join(Product, sa.and_(Product.id == Batch.product_id, Product.kind_code == Record.kind_code))
        .where(
            Batch.started_on <= Record.season_until,
            sa.or_(Batch.produced_on.is_(None), Batch.produced_on >= Record.happened_on),
        )
    )
    return sa.union(*(way.where(*conditions) for way in (of_its_own, of_further_lots, of_a_whole_site)))


def covered_lots(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The condition on `Batch` that some record counts for it.

    :param conditions: on `Record`.
    """
    return Batch.id.in_(sa.select(coverage(*conditions).subquery().c.batch_id))


def records_covering(batch_id: int | sa.BindParameter[int]) -> sa.ColumnElement[bool]:
    """The condition on `Record` that it counts for a lot.

    :param batch_id: the lot's id, or a bound parameter for it.
    """
    return Record.id.in_(sa.select(coverage(Batch.id == batch_id).subquery().c.record_id))


def names_ingredient(text: str, *, within: bool = False) -> sa.ColumnElement[bool]:
    """The condition on `Record` that it, or the label of the stock that it took from, names one of the active
    ingredients in a text, or a salt of it.

    :param within: ingredients count, too, in whose name it stands: 甲基多菌灵 for 多菌灵.
    """

    def meant(column: sa.SQLColumnExpression[str]) -> sa.ColumnElement[bool]:
        keys = keys_meant(text)
        return (
            sa.or_(sa.false(), *(column.contains(key, autoescape=True) for key in keys)) if within else column.in_(keys)
        )

    of_label = sa.select(StockLot.id).join(InputIngredient, InputIngredient.product_id == StockLot.product_id)
    return sa.or_(
        Record.id.in_(sa.select(RecordIngredient.record_id).where(meant(RecordIngredient.key))),
        Record.stock_id.in_(of_label.where(meant(InputIngredient.key))),
    )


def ingredients_beside(text: str, most: int = 8) -> list[str]:
    """Names of ingredients in records that a text stands in, and that it does not mean by itself."""
    keys = keys_meant(text)
    if not keys:
        return []
    holds = sa.or_(*(RecordIngredient.key.contains(key, autoescape=True) for key in keys))
    query = sa.select(sa.func.min(RecordIngredient.name)).where(holds, RecordIngredient.key.not_in(keys))
    return list(db.session.scalars(query.group_by(RecordIngredient.key).order_by(RecordIngredient.key).limit(most)))


def is_replaced() -> sa.ColumnElement[bool]:
    """The condition on `Record` that another takes its place."""
    later = aliased(Record)
    return sa.exists().where(later.replaces_id == Record.id)


def counts() -> sa.ColumnElement[bool]:
    """The condition on `Record` that it is in force: no other takes its place, and it was not withdrawn."""
    return sa.and_(~is_replaced(), ~sa.exists().where(RecordWithdrawal.record_id == Record.id))
