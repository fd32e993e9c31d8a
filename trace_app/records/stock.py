"""What was used of stock lots, as records say, and which lots an input has touched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from trace_app.accounts.access import NotFound, may_see, visible_to
from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Site
from trace_app.extensions import db
from trace_app.inputs.models import StockLot
from trace_app.records.models import Record
from trace_app.records.service import counting_for

_MASS = {"g": Decimal(1), "kg": Decimal(1000), "t": Decimal(1_000_000)}
_VOLUME = {"mL": Decimal(1), "L": Decimal(1000)}
_PER_AREA = {"g_per_mu": "g", "kg_per_mu": "kg", "mL_per_mu": "mL"}
FOUND_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class Balance:
    """Of a stock lot, in its own unit. ``left`` is None where a record's dose can't be counted in it."""

    used: Decimal
    out: Decimal
    left: Decimal | None
    uncounted: int
    """Records whose use can't be told as an amount, such as a dilution."""


def convert(amount: Decimal, unit: str, wanted: str) -> Decimal | None:
    """An amount in another unit of the same sort."""
    for sort in (_MASS, _VOLUME):
        if unit in sort and wanted in sort:
            return amount * sort[unit] / sort[wanted]
    return amount if unit == wanted else None


def used_by(record: Record, unit: str) -> Decimal | None:
    """How much of an input a record used, in a unit; None where that can't be told."""
    if record.dose is None or record.dose_unit is None:
        return None
    if record.dose_unit in _PER_AREA:
        return convert(record.dose * record.area_mu, _PER_AREA[record.dose_unit], unit) if record.area_mu else None
    return convert(record.dose, record.dose_unit, unit)


def balances(stock: Sequence[StockLot]) -> dict[int, Balance]:
    """What was used and is left of stock lots, by their id; records that others replace don't count."""
    by_lot: dict[int, list[Record]] = defaultdict(list)
    query = (
        db.select(Record).where(Record.stock_id.in_([lot.id for lot in stock])).options(joinedload(Record.replaced_by))
    )
    for record in db.session.scalars(query):
        if record.replaced_by is None and record.stock_id is not None:
            by_lot[record.stock_id].append(record)
    return {lot.id: balance_of(lot, by_lot[lot.id]) for lot in stock}


def balance_of(lot: StockLot, records: Sequence[Record]) -> Balance:
    """:param records: in force, that name the lot."""
    amounts = [used_by(record, lot.unit) for record in records]
    used = sum((amount for amount in amounts if amount is not None), Decimal(0))
    out = sum((out.quantity for out in lot.outs), Decimal(0))
    uncounted = sum(amount is None for amount in amounts)
    return Balance(used, out, lot.quantity - used - out if not uncounted else None, uncounted)


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
    query = (
        db.select(Record)
        .outerjoin(Record.batch)
        .outerjoin(Record.site)
        .where(
            visible_to(user, Record.producer_id, sa.func.coalesce(Batch.division_code, Site.division_code)),
            Record.id.not_in(sa.select(Record.replaces_id).where(Record.replaces_id.is_not(None))),
        )
        .options(joinedload(Record.stock).joinedload(StockLot.product))
        .order_by(Record.happened_on.desc(), Record.id.desc())
        .limit(FOUND_AT_MOST)
    )
    if stock is not None:
        query = query.where(Record.stock_id == stock.id)
    else:
        columns = (Record.product_name, Record.input_lot, Record.registration_number, Record.active_ingredient)
        query = query.where(sa.or_(*(column.icontains(search, autoescape=True) for column in columns)))
    found = []
    for record in db.session.scalars(query):
        found += [Touch(batch, record) for batch in lots_of(record) if batch]
    return found


def lots_of(record: Record) -> list[Batch]:
    """The lots that a record counts for, those of a whole site's season included."""
    if record.site_id is None:
        return ([record.batch] if record.batch else []) + list(record.further_batches)
    candidates = db.session.scalars(db.select(Batch).filter_by(site_id=record.site_id))
    return [
        batch
        for batch in candidates
        if db.session.scalar(db.select(Record.id).where(Record.id == record.id, counting_for(batch)))
    ]
