"""Weighing what households deliver to a lot; which lots have something of a household."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import aliased, joinedload

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, visible_to
from trace_app.accounts.models import RoleName, User
from trace_app.batches import service as batches
from trace_app.batches.freshness import shown_on_trace_pages
from trace_app.batches.models import Batch, BatchStatus
from trace_app.catalogue.models import Site
from trace_app.clock import today
from trace_app.db.base import Id
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.flow.genealogy.service import reached_from
from trace_app.forms import plain_decimal
from trace_app.households.models import Household, HouseholdConsent
from trace_app.households.service import HasLeft, agreed, plots_tilled, tilled_by
from trace_app.units import unit_name
from trace_app.weighings.models import Weighing

MOST_LISTED = 500
NAMES_SHOWN = 20
"""How many households a trace page names."""


class WeighingOver(Problem):
    """A lot that is released has its quantity: nothing is weighed into it any more."""

    title = _("批次 %(lot)s 已放行，不能再过磅。漏记的，请另登记一个批次。")


class BeforeTheLotBegan(Unprocessable):
    title = _("过磅日期早于批次的开始日期 %(day)s，请核对。")


class PlotOfAnother(Unprocessable):
    title = _("这一天这块地不是这一户耕种的。请核对地块，或先在农户页登记。")


class KeySentOtherwise(Problem):
    """What came before with the same key said something else."""

    title = _("这一磅先前已经记过，内容不同。请在过磅记录里核对。")


class WeighingCorrected(Problem):
    title = _("这一磅已经更正过了。请在最新的一条上更正。")


class NothingWouldBeLeft(Unprocessable):
    title = _("这是批次 %(lot)s 唯一的一磅，不能改成 0。请填写正确的重量。")


class LessThanTheLot(Unprocessable):
    """A lot that is released can't be more than what was delivered for it."""

    title = _("更正后合计 %(total)s %(unit)s，少于已放行的批次数量 %(quantity)s %(unit)s。请先更正批次数量。")


class QuantityWeighed(Unprocessable):
    title = _("批次 %(lot)s 的数量是过磅合计 %(total)s %(unit)s，不能另填。称错了的，请在过磅记录里更正那一磅。")


class MoreThanWeighed(QuantityWeighed):
    title = _("批次 %(lot)s 过磅合计只有 %(total)s %(unit)s，数量不能比它多。请核对。")


class UnitWeighed(Unprocessable):
    title = _("批次 %(lot)s 已按 %(unit)s 过磅，单位不能再改。请选回 %(unit)s。")


def stands() -> sa.ColumnElement[bool]:
    """Whether a weighing counts: no correction replaces it, and there is something of it."""
    newer = aliased(Weighing)
    return sa.and_(Weighing.quantity > 0, ~sa.exists().where(newer.replaces_id == Weighing.id).correlate_except(newer))


def _with_deliveries_of(household_id: int) -> sa.ColumnElement[bool]:
    return Batch.id.in_(sa.select(Weighing.batch_id).where(Weighing.household_id == household_id))


shown_on_trace_pages(Weighing, lambda weighing: Batch.id == weighing.batch_id)
shown_on_trace_pages(Household, lambda household: _with_deliveries_of(household.id))
shown_on_trace_pages(HouseholdConsent, lambda consent: _with_deliveries_of(consent.household_id))


@dataclass(frozen=True, slots=True)
class HouseholdDelivery:
    """What a household brought to the scales. ``site_id`` is the plot, where it said so."""

    household: Household
    quantity: Decimal
    happened_on: date
    site_id: int | None = None


def weigh(user: User, batch: Batch, delivery: HouseholdDelivery, entry_key: str | None = None) -> Weighing:
    """Write down what a household delivered to a draft of the user's own; the lot's quantity follows.

    :param entry_key: of an entry that may come twice; it is written once.
    :raises WeighingOver, UnderRecall, AlreadyClosed, HasLeft, BeforeTheLotBegan, PlotOfAnother, KeySentOtherwise:
    """
    _hold_whose_it_is(delivery)
    batches.must_take_records(batch)
    known = _of_key(user, entry_key)
    if known is not None:
        same = (known.batch_id, known.household_id, known.site_id, known.happened_on)
        if same != (batch.id, delivery.household.id, delivery.site_id, delivery.happened_on):
            raise KeySentOtherwise
        if abs(known.quantity - delivery.quantity) > Decimal("0.0005"):
            raise KeySentOtherwise
        return known
    if batch.status is not BatchStatus.DRAFT:
        raise WeighingOver(lot=batch.lot_number)
    if delivery.household.left_on is not None and delivery.happened_on >= delivery.household.left_on:
        raise HasLeft(name=delivery.household.name)
    _check(user, batch, delivery)
    row = _add(user, batch, delivery, entry_key=entry_key)
    _follow(user, batch)
    audit.note(user, "weigh", row, lot_number=batch.lot_number, household=row.household_id, quantity=str(row.quantity))
    return row


def begin_lot(
    user: User, facts: batches.BatchFacts, delivery: HouseholdDelivery, entry_key: str | None = None
) -> Weighing:
    """Register a lot by what is weighed into it first.

    :param facts: of the lot.
    :param entry_key: of an entry that may come twice; the lot and the weighing are written once.
    :raises LotNumberTaken, HasLeft, BeforeTheLotBegan, PlotOfAnother, KeySentOtherwise:
    """
    known = _of_key(user, entry_key)
    if known is None:
        return weigh(user, batches.register_batch(user, facts), delivery, entry_key)
    if known.batch.lot_number != facts.lot_number:
        raise KeySentOtherwise
    return weigh(user, known.batch, delivery, entry_key)


def correct(user: User, row: Weighing, delivery: HouseholdDelivery, reason: str) -> Weighing:
    """State a weighing anew; a quantity of 0 says that it should not have been. The former row stays.

    :raises UnderRecall, AlreadyClosed, WeighingCorrected, BeforeTheLotBegan, PlotOfAnother:
    :raises NothingWouldBeLeft, LessThanTheLot, LessThanGone:
    """
    batch = row.batch
    _hold_whose_it_is(delivery)
    batches.must_take_records(batch)
    if db.session.scalar(sa.select(Weighing.id).where(Weighing.replaces_id == row.id)) is not None:
        raise WeighingCorrected
    _check(user, batch, delivery)
    newer = _add(user, batch, delivery, replaces_id=row.id, reason=reason)
    _follow(user, batch)
    audit.note(user, "correct", newer, lot_number=batch.lot_number, quantity=str(newer.quantity), reason=reason)
    return newer


def _hold_whose_it_is(delivery: HouseholdDelivery) -> None:
    """Hold the plot and the household before the lot: whoever renames one of them changes its lots after it."""
    if delivery.site_id is not None:
        db.session.execute(sa.select(Site.id).filter_by(id=delivery.site_id).with_for_update(read=True, key_share=True))
    household = sa.select(Household.id).filter_by(id=delivery.household.id)
    db.session.execute(household.with_for_update(read=True, key_share=True))


def _of_key(user: User, entry_key: str | None) -> Weighing | None:
    if entry_key is None:
        return None
    query = db.select(Weighing).where(Weighing.producer_id == user.organisation_id, Weighing.entry_key == entry_key)
    found: Weighing | None = db.session.scalar(query)
    return found


def _check(user: User, batch: Batch, delivery: HouseholdDelivery) -> None:
    if delivery.household.producer_id != user.organisation_id or batch.producer_id != user.organisation_id:
        raise NotFound
    if delivery.happened_on < batch.started_on:
        raise BeforeTheLotBegan(day=batch.started_on)
    if delivery.site_id is not None:
        holder, _name = plots_tilled(user.organisation, delivery.happened_on).get(delivery.site_id, (None, ""))
        if holder != delivery.household.id:
            raise PlotOfAnother


def _add(
    user: User,
    batch: Batch,
    delivery: HouseholdDelivery,
    *,
    entry_key: str | None = None,
    replaces_id: int | None = None,
    reason: str = "",
) -> Weighing:
    row = Weighing(
        producer_id=user.organisation_id,
        batch_id=batch.id,
        household_id=delivery.household.id,
        site_id=delivery.site_id,
        quantity=delivery.quantity,
        happened_on=delivery.happened_on,
        entry_key=entry_key,
        replaces_id=replaces_id,
        reason=reason,
        created_by_id=user.id,
    )
    db.session.add(row)
    db.session.flush()
    return row


def total_of(batch_id: int) -> Decimal | None:
    """What was weighed into a lot altogether; None where nothing ever was."""
    query = sa.select(sa.func.sum(Weighing.quantity), sa.func.count()).where(Weighing.batch_id == batch_id)
    newer = aliased(Weighing)
    total, count = db.session.execute(query.where(~sa.exists().where(newer.replaces_id == Weighing.id))).one()
    return Decimal(str(total)).quantize(Decimal("0.001")) if count else None


def _follow(user: User, batch: Batch) -> None:
    """Keep a draft's quantity what was weighed; what is released was said to be no more than that."""
    total = total_of(batch.id) or Decimal(0)
    if batch.status is BatchStatus.DRAFT:
        if not total:
            raise NothingWouldBeLeft(lot=batch.lot_number)
        batches.restate_quantity(user, batch, total)
    elif total < batch.quantity:
        raise LessThanTheLot(
            total=plain_decimal(total), unit=unit_name(batch.unit), quantity=plain_decimal(batch.quantity)
        )


def _compare(_user: User, batch: Batch, former_unit: str | None) -> None:
    """Refuse a quantity that is not what was weighed, of a draft, or is more, of what is released.

    :raises UnitWeighed, QuantityWeighed, MoreThanWeighed:
    """
    total = total_of(batch.id) if former_unit is not None else None
    if total is None:
        return
    if former_unit != batch.unit:
        raise UnitWeighed(lot=batch.lot_number, unit=unit_name(former_unit))
    facts = {"lot": batch.lot_number, "total": plain_decimal(total), "unit": unit_name(batch.unit)}
    if batch.status is BatchStatus.DRAFT and batch.quantity != total:
        raise QuantityWeighed(**facts)
    if batch.quantity > total:
        raise MoreThanWeighed(**facts)


batches.counts_goods(_compare)


def own_weighing(user: User, weighing_id: int) -> Weighing:
    """A weighing of the user's own.

    :raises NotFound:
    """
    row = db.session.get(Weighing, weighing_id)
    if row is None or user.role is not RoleName.PRODUCER or row.producer_id != user.organisation_id:
        raise NotFound
    return row


def lots_to_weigh(user: User) -> list[Batch]:
    """The drafts of the user's own that something may be weighed into, the newest first."""
    query = (
        db.select(Batch)
        .where(Batch.producer_id == user.organisation_id, Batch.status == BatchStatus.DRAFT, ~Batch.recalled)
        .options(joinedload(Batch.product))
        .order_by(Batch.id.desc())
        .limit(50)
    )
    return list(db.session.scalars(query))


def weighings_of_lot(batch: Batch) -> list[Weighing]:
    """All that was weighed into a lot, corrections and what they replace among it, the latest first."""
    return _weighings(Weighing.batch_id == batch.id)


def weighings_of_household(household: Household) -> list[Weighing]:
    """What a household delivered, as far as it counts, the latest first."""
    return _weighings(Weighing.household_id == household.id, stands())


def last_weighed_on(household: Household) -> date | None:
    """The day on which a household was last at the scales, as far as it counts."""
    query = sa.select(sa.func.max(Weighing.happened_on)).where(Weighing.household_id == household.id, stands())
    found: date | None = db.session.scalar(query)
    return found


def _weighings(*conditions: sa.ColumnElement[bool]) -> list[Weighing]:
    query = (
        db.select(Weighing)
        .where(*conditions)
        .options(
            joinedload(Weighing.household),
            joinedload(Weighing.site),
            joinedload(Weighing.batch).joinedload(Batch.product),
            joinedload(Weighing.replaced_by),
        )
        .order_by(Weighing.id.desc())
    )
    return list(db.session.scalars(query))


def last_used_first(households: Sequence[Household]) -> list[Household]:
    """Households in the order in which they came to the scales, the latest first; then those that never did."""
    query = sa.select(Weighing.household_id, sa.func.max(Weighing.id)).group_by(Weighing.household_id)
    of_these = query.where(Weighing.household_id.in_([household.id for household in households]))
    latest: dict[int, int] = {row[0]: row[1] for row in db.session.execute(of_these)}
    return sorted(households, key=lambda household: -latest.get(household.id, 0))


@dataclass(frozen=True, slots=True)
class Suppliers:
    """Who delivered to a lot: how many households, and the names of those that agreed to be named."""

    count: int
    names: list[str]

    @property
    def all_named(self) -> bool:
        return self.count == len(self.names)


def suppliers_of(batch_id: int) -> Suppliers | None:
    """Who delivered to a lot, for the public; None where nothing was weighed."""
    ids = sa.select(Weighing.household_id).where(Weighing.batch_id == batch_id, stands()).distinct()
    rows = db.session.execute(
        sa.select(Household.name, agreed(Household.id)).where(Household.id.in_(ids)).order_by(Household.id)
    ).all()
    return Suppliers(len(rows), [name for name, may_be_named in rows if may_be_named][:NAMES_SHOWN]) if rows else None


def lots_of(household: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether a lot has something of a household of which a condition holds: weighed, or grown on a plot that it tilled
    from the lot's beginning to its harvest.

    :param household: on `Household`.
    """
    weighed = sa.select(Weighing.batch_id).join(Household, Household.id == Weighing.household_id)
    last = sa.func.coalesce(Batch.produced_on, sa.literal(today(), sa.Date))
    site_id: Id = Batch.site_id
    return sa.or_(
        Batch.id.in_(weighed.where(household, stands())),
        tilled_by(household, site_id, Batch.started_on, last),
    )


def grown_on(site: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether some of a lot was weighed as grown on a site of which a condition holds, on `Site`."""
    return Batch.id.in_(sa.select(Weighing.batch_id).where(Weighing.site.has(site), stands()))


@dataclass(frozen=True, slots=True)
class LotOfHousehold:
    """A lot that has something of a household.

    :ivar quantity: what it delivered to it, in the lot's unit; None where it went into it by way of another lot, or
        was never weighed.
    :ivar itself: whether it went into the lot itself, and not by way of another.
    """

    batch: Batch
    quantity: Decimal | None
    itself: bool


def lots_with(user: User, household: Household) -> list[LotOfHousehold]:
    """All lots in the user's sight that have something of a household, or of such a lot, the latest first."""
    causes = sa.select(Batch.id).where(
        lots_of(Household.id == household.id), visible_to(user, Batch.producer_id, Batch.division_code)
    )
    with reached_from(causes) as reached:
        query = (
            db.select(Batch)
            .where(reached.have(Batch.id), visible_to(user, Batch.producer_id, Batch.division_code))
            .options(joinedload(Batch.product), joinedload(Batch.producer))
            .order_by(Batch.id.desc())
            .limit(MOST_LISTED)
        )
        found = list(db.session.scalars(query))
    itself = set(db.session.scalars(causes))
    amounts = (
        sa.select(Weighing.batch_id, sa.func.sum(Weighing.quantity))
        .where(Weighing.household_id == household.id, stands())
        .group_by(Weighing.batch_id)
    )
    weighed = {batch_id: Decimal(str(amount)) for batch_id, amount in db.session.execute(amounts)}
    return [LotOfHousehold(batch, weighed.get(batch.id), batch.id in itself) for batch in found]


def amounts_by_household(batch_id: int) -> dict[int, Decimal]:
    """What each household delivered to a lot."""
    query = sa.select(Weighing.household_id, sa.func.sum(Weighing.quantity)).where(
        Weighing.batch_id == batch_id, stands()
    )
    rows = db.session.execute(query.group_by(Weighing.household_id))
    return {household_id: Decimal(str(amount)) for household_id, amount in rows}
