"""What was used of stock lots, as records say, and which lots an input has touched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, may_see, visible_to
from trace_app.accounts.models import Organisation, User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.db.text import same_number
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.inputs.models import StockLot, StockOut, StockOutReason
from trace_app.inputs.service import product_for, stock_of
from trace_app.records.coverage import counts, coverage, names_ingredient
from trace_app.records.from_stock import OfferedStock
from trace_app.records.models import Record
from trace_app.units import converted
from trace_app.values import Facts

_PER_AREA = {"g_per_mu": "g", "kg_per_mu": "kg", "mL_per_mu": "mL"}


FOUND_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class StockBalance:
    """What became of a stock lot, in its own unit. ``left`` is None where a record's dose can't be counted in it."""

    used: Decimal
    out: Decimal
    left: Decimal | None
    uncounted: int
    """Records whose use can't be told as an amount, such as a dilution."""


class Use(NamedTuple):
    """How much of an input was used at one time, as its record says it."""

    dose: Decimal | None
    dose_unit: str | None
    area_mu: Decimal | None

    def amount(self, unit: str) -> Decimal | None:
        """The same in a unit; None where that can't be told."""
        if self.dose is None or self.dose_unit is None:
            return None
        if self.dose_unit in _PER_AREA:
            return converted(self.dose * self.area_mu, _PER_AREA[self.dose_unit], unit) if self.area_mu else None
        return converted(self.dose, self.dose_unit, unit)


def balances(stock: Sequence[StockLot]) -> dict[int, StockBalance]:
    """What was used and is left of stock lots, by their id; records that are not in force don't count."""
    uses: dict[int, list[Use]] = defaultdict(list)
    query = sa.select(Record.stock_id, Record.dose, Record.dose_unit, Record.area_mu).where(
        Record.stock_id.in_([lot.id for lot in stock]), counts()
    )
    for row in db.session.execute(query):
        if row.stock_id is not None:
            uses[row.stock_id].append(Use(row.dose, row.dose_unit, row.area_mu))
    return {lot.id: balance_of(lot, uses[lot.id]) for lot in stock}


def balance_of(lot: StockLot, uses: Sequence[Use]) -> StockBalance:
    """:param uses: by all records in force that name the lot."""
    amounts = [use.amount(lot.unit) for use in uses]
    used = sum((amount for amount in amounts if amount is not None), Decimal(0))
    out = sum((out.quantity for out in lot.outs), Decimal(0))
    uncounted = sum(amount is None for amount in amounts)
    return StockBalance(used, out, lot.quantity - used - out if not uncounted else None, uncounted)


def offered_stock(producer: Organisation, input_type: str) -> list[OfferedStock]:
    """The stock lots of a type that a record may take from, with what is left of each."""
    lots = stock_of(producer, input_type)
    known = balances(lots)
    return [OfferedStock(lot, known[lot.id].left) for lot in lots]


def stock_for(user: User, stock_id: int) -> StockLot:
    """A stock lot of the user's own, or of a producer in its jurisdiction.

    :raises NotFound:
    """
    lot = db.session.get(StockLot, stock_id)
    if lot is None or not may_see(user, lot.producer_id, lot.producer.division_code):
        raise NotFound
    return lot


@dataclass(frozen=True, slots=True)
class Touch:
    """A lot that an input was used on, by one record."""

    batch: Batch
    record: Record


def touched_by(user: User, *, search: str = "", stock: StockLot | None = None) -> list[Touch]:
    """Lots that a user may see and that an input touched, with the records that say so, the latest first.

    :param search: an input's name, lot number, registration number or active ingredient, or part of it.
    :param stock: one stock lot.
    """
    if stock is not None:
        condition = Record.stock_id == stock.id
    else:
        columns = (Record.product_name, Record.input_lot, Record.registration_number)
        named = [column.icontains(search, autoescape=True) for column in columns]
        condition = sa.or_(names_ingredient(search), *named)
    pairs = coverage(condition, counts()).subquery()
    query = (
        sa.select(Batch, Record)
        .join(pairs, pairs.c.batch_id == Batch.id)
        .join(Record, Record.id == pairs.c.record_id)
        .where(visible_to(user, Batch.producer_id, Batch.division_code))
        .options(
            joinedload(Batch.product).joinedload(Product.kind),
            joinedload(Batch.producer),
            joinedload(Record.kind),
            joinedload(Record.stock),
        )
        .order_by(Record.happened_on.desc(), Record.id.desc(), Batch.id)
        .limit(FOUND_AT_MOST)
    )
    return [Touch(batch, record) for batch, record in db.session.execute(query)]


class StockKnown(Problem):
    title = _("批号“%(lot)s”已入库，请换一个，或核对后修改数量。")


class MoreThanInStock(Unprocessable):
    """More can't leave a stock lot than there is."""

    code = "more-than-left"
    title = _("库存只剩 %(left)s，不能出库 %(wanted)s。请核对数量。")


def receive(user: User, facts: Facts) -> StockLot:
    """Take a lot of an input into stock.

    :raises StockKnown: where the producer has it already.
    """
    product = product_for(user, facts["product_id"])
    query = db.select(StockLot.lot_number).filter_by(producer_id=user.organisation_id, product_id=product.id)
    if known := db.session.scalar(query.where(same_number(StockLot.lot_number, facts["lot_number"]))):
        raise StockKnown(lot=known)
    lot = StockLot(producer_id=user.organisation_id, created_by_id=user.id, **facts)
    db.session.add(lot)
    db.session.flush()
    audit.note(user, "receive", lot, lot=lot.lot_number, quantity=str(lot.quantity), unit=lot.unit)
    return lot


def take_out(user: User, lot: StockLot, facts: Facts, left: Decimal | None) -> StockOut:
    """Note what left a stock lot otherwise than by use.

    :param left: what is left of it, where that can be told.
    :raises MoreThanInStock:
    """
    if left is not None and facts["quantity"] > left:
        raise MoreThanInStock(left=f"{left:f}", wanted=f"{facts['quantity']:f}")
    out = StockOut(
        stock_id=lot.id,
        created_by_id=user.id,
        **(facts | {"reason": StockOutReason(facts["reason"]), "note": facts["note"] or ""}),
    )
    db.session.add(out)
    db.session.flush()
    audit.note(user, "take-out", lot, quantity=str(out.quantity), reason=out.reason.value)
    return out
