"""Registering, releasing, correcting and closing batches; finding them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from flask_sqlalchemy.pagination import Pagination
from sqlalchemy.orm import joinedload, undefer

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, may_see, visible_to
from trace_app.accounts.models import Organisation, RoleName, User
from trace_app.batches.models import HOLDING, IN_FORCE, Batch, BatchRevision, BatchStatus, stopped_lots
from trace_app.catalogue.models import Product, Site
from trace_app.clock import today
from trace_app.db.base import utc_now
from trace_app.db.text import same_number
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.folding import fold, without_spaces
from trace_app.values import Facts

PER_PAGE = 20
_USE_LOCK = 5_303_002
_PAPERS = [sa.table(name, sa.column("batch_id")) for name in ("label_runs", "commitment_certificates")]
"""What bears a lot's number and product: in rooms above."""


class LotNumberTaken(Problem):
    """A producer has a batch of this lot number already."""

    title = _("批次号“%(lot)s”已登记过，请换一个。")


class NotADraft(Problem):
    """Only drafts are edited; what is released is corrected by a new version."""

    title = _("批次 %(lot)s 已放行，不能直接修改。请用“更正”登记新版本，原内容会保留。")


class NotReleased(Problem):
    """Only what is released can be closed, corrected, or given labels."""

    title = _("批次 %(lot)s 还没有放行。请先补全记录并放行。")


class AlreadyClosed(Problem):
    title = _("批次 %(lot)s 已结束，不能再登记、打印或更改。")


class UnderRecall(Problem):
    """A recalled batch can't be changed, released, closed, labelled, used or sent."""

    title = _("批次 %(lot)s 已召回，此操作已停用。请联系%(contact)s。")

    def __init__(self, batch: Batch) -> None:
        super().__init__(lot=batch.lot_number, contact=_contact(batch) or str(_("发布召回的主管部门")))


class OnHold(Problem):
    """A batch whose sale is stopped for the time being can't be released, closed, labelled or sent."""

    title = _("批次 %(lot)s 已被暂停销售，等待核查，此操作暂时停用。请联系%(contact)s。")

    def __init__(self, batch: Batch) -> None:
        super().__init__(lot=batch.lot_number, contact=_contact(batch) or str(_("发出暂停通知的主管部门")))


_who_stopped: list[Callable[[Batch], str]] = []
_stops_sale: list[Callable[[Batch], bool]] = []
_counts: list[Callable[[User, Batch, str | None], None]] = []


def tells_who_stopped(contact: Callable[[Batch], str]) -> None:
    """Have a feature above say whom to call about a stopped lot: a name and telephone number."""
    _who_stopped.append(contact)


def stops_sale(stops: Callable[[Batch], bool]) -> None:
    """Have a feature above say of a released lot that is not on hold yet whether it is about to be."""
    _stops_sale.append(stops)


def counts_goods(count: Callable[[User, Batch, str | None], None]) -> None:
    """Have a feature above keep count of goods: it is told of each lot, and of each new quantity or unit.

    :param count: gets the unit of before as well; None of a lot that is new.
    """
    _counts.append(count)


def _count(user: User, batch: Batch, former_unit: str | None) -> None:
    for count in _counts:
        count(user, batch, former_unit)


def _contact(batch: Batch) -> str:
    return next((found for contact in _who_stopped if (found := contact(batch))), "")


class NumberOnLabels(Problem):
    """The lot number stands on labels or papers that are out."""

    title = _("批次号 %(lot)s 已印在标签或合格证上，不能再改。请改回 %(lot)s。")


class ProductOnLabels(Problem):
    """The product stands on labels or papers that are out."""

    title = _("批次 %(lot)s 已印了标签或开具了合格证，产品不能再改。请选回“%(product)s”。")


class NotReadyForRelease(Problem):
    """Something that must be known before release is missing."""

    title = _("批次 %(lot)s 还不能放行：%(missing)s。")


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """What a producer states of a batch. ``product`` and ``site`` are the producer's own."""

    product: Product
    site: Site
    lot_number: str
    quantity: Decimal
    unit: str
    started_on: date
    produced_on: date | None = None
    best_before: date | None = None

    def plain(self) -> dict[str, str | None]:
        """The facts as values of JSON, with names beside the numbers that stand for something."""
        facts = {name: getattr(self, name) for name in FACTS} | {"product": self.product.name, "site": self.site.name}
        return {name: str(value) if value is not None else None for name, value in facts.items()}


FACTS = [field.name for field in fields(BatchFacts)]


def facts_of(batch: Batch) -> BatchFacts:
    return BatchFacts(**{name: getattr(batch, name) for name in FACTS})


def facts_like(user: User, batch_id: int) -> Facts:
    """What a form begins with that registers another lot like one of the producer's own, begun today.

    :raises NotFound:
    """
    batch = own_batch(user, batch_id)
    same = {name: getattr(batch, name) for name in ("product_id", "site_id", "quantity", "unit")}
    return same | {"started_on": today()}


def register_batch(user: User, facts: BatchFacts) -> Batch:
    """Begin a batch as a draft.

    :raises LotNumberTaken: where the producer has one of this lot number.
    """
    batch = Batch(producer_id=user.organisation_id, created_by_id=user.id, status=BatchStatus.DRAFT)
    _state(batch, facts)
    db.session.add(batch)
    db.session.flush()
    _count(user, batch, None)
    audit.note(user, "register", batch, **facts.plain())
    return batch


def edit_batch(user: User, batch: Batch, facts: BatchFacts) -> None:
    """Change a draft's facts.

    :raises NotADraft, UnderRecall, LotNumberTaken:
    :raises LessThanGone, UnitInUse: where goods have gone out of it.
    """
    must_be_draft(batch)
    _state_anew(user, batch, facts)
    audit.note(user, "edit", batch, **facts.plain())


def correct_batch(user: User, batch: Batch, facts: BatchFacts, reason: str) -> BatchRevision:
    """State a released batch's facts anew. The former version stays and both are shown.

    :raises NotReleased, UnderRecall, AlreadyClosed, LotNumberTaken, NumberOnLabels, ProductOnLabels:
    :raises LessThanGone, UnitInUse: where goods have gone out of it.
    """
    _lock(batch)
    _must_be_open(batch)
    if batch.status is BatchStatus.DRAFT:
        raise NotReleased(lot=batch.lot_number)
    if facts.produced_on is None:
        raise NotReadyForRelease(lot=batch.lot_number, missing=_("请填写采收或生产日期"))
    if _has_papers(batch):
        if facts.lot_number != batch.lot_number:
            raise NumberOnLabels(lot=batch.lot_number)
        if facts.product.id != batch.product_id:
            raise ProductOnLabels(lot=batch.lot_number, product=batch.product.name)
    _state_anew(user, batch, facts)
    revision = _add_revision(user, batch, reason)
    audit.note(user, "correct", batch, revision=revision.number, reason=reason, **facts.plain())
    return revision


def _has_papers(batch: Batch) -> bool:
    """Whether labels were printed of a lot, or certificates issued: whoever does holds the lot meanwhile, too."""
    found = (sa.select(sa.true()).where(papers.c.batch_id == batch.id).limit(1) for papers in _PAPERS)
    return any(db.session.scalar(query) for query in found)


def must_be_draft(batch: Batch) -> None:
    """Raise unless the batch's facts may be changed and it may be released.

    :raises NotADraft, UnderRecall:
    """
    _lock(batch)
    if batch.recalled:
        raise UnderRecall(batch)
    if batch.status is not BatchStatus.DRAFT:
        raise NotADraft(lot=batch.lot_number)


def mark_released(user: User, batch: Batch) -> None:
    """Note that a draft is released: from now on it may be labelled, and its facts change by new versions only.

    For `trace_app.release.service.release_batch` alone, which checks the rules first.

    :raises NotReadyForRelease: with what is missing.
    :raises NotADraft, UnderRecall, OnHold:
    """
    must_be_draft(batch)
    _must_not_be_held(batch)
    if batch.produced_on is None:
        raise NotReadyForRelease(lot=batch.lot_number, missing=_("请填写采收或生产日期"))
    batch.status = BatchStatus.RELEASED
    batch.released_at = utc_now()
    _add_revision(user, batch, "")
    audit.note(user, "release", batch)


def close_batch(user: User, batch: Batch) -> None:
    """End a released batch: all sold or used. Its trace page stays.

    :raises NotReleased, UnderRecall, OnHold, AlreadyClosed:
    """
    must_be_on_sale(batch)
    batch.status = BatchStatus.CLOSED
    batch.closed_at = utc_now()
    audit.note(user, "close", batch)


def must_take_records(batch: Batch) -> None:
    """Raise unless records may be added: drafts and released batches take them, recalled and closed ones don't."""
    _lock(batch)
    _must_be_open(batch)


def why_no_records(batch: Batch) -> Problem | None:
    """What `must_take_records` would raise as things stand, for a page that says so before anyone tries."""
    try:
        _must_be_open(batch)
    except Problem as problem:
        return problem
    return None


def must_be_on_sale(batch: Batch) -> None:
    """Raise unless a batch may be labelled, packed and sent: it is released, neither closed, held nor recalled.

    :raises NotReleased, UnderRecall, OnHold, AlreadyClosed:
    """
    _lock(batch)
    _must_be_open(batch)
    _must_not_be_held(batch)
    if batch.status is BatchStatus.DRAFT:
        raise NotReleased(lot=batch.lot_number)


def _must_be_open(batch: Batch) -> None:
    if batch.recalled:
        raise UnderRecall(batch)
    if batch.status is BatchStatus.CLOSED:
        raise AlreadyClosed(lot=batch.lot_number)


def must_not_be_stopped(batch: Batch) -> None:
    """Raise where nothing of a batch may be sent or used, whoever has it.

    :raises UnderRecall, OnHold:
    """
    _lock(batch)
    if batch.recalled:
        raise UnderRecall(batch)
    _must_not_be_held(batch)


def _must_not_be_held(batch: Batch) -> None:
    if is_held(batch):
        raise OnHold(batch)


def is_held(batch: Batch) -> bool:
    """Whether a lot is on hold, or is about to be for what was entered since its latest check."""
    return batch.held or (batch.status is not BatchStatus.DRAFT and any(stops(batch) for stops in _stops_sale))


def no_use_meanwhile() -> None:
    """Hold until the commit whatever asks whether a lot is stopped before it sells, sends, uses or changes it.

    So it either comes before a recall, which then knows of it, or finds the lot recalled.
    """
    if db.engine.dialect.name == "postgresql":
        db.session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _USE_LOCK})


def _lock(batch: Batch) -> None:
    """Have what is decided on hold until the commit: two people may press at once."""
    if db.engine.dialect.name == "postgresql":
        db.session.execute(sa.text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": _USE_LOCK})
    db.session.refresh(batch, with_for_update={"of": Batch, "key_share": True})


def _state(batch: Batch, facts: BatchFacts) -> None:
    with db.session.no_autoflush:
        alike = lot_alike(batch.producer_id, facts.lot_number, besides=batch.id)
    if alike is not None:
        raise LotNumberTaken(lot=alike)
    for name in FACTS:
        setattr(batch, name, getattr(facts, name))
    batch.division_code = facts.site.division_code


def _state_anew(user: User, batch: Batch, facts: BatchFacts) -> None:
    quantity, unit = batch.quantity, batch.unit
    _state(batch, facts)
    if (batch.quantity, batch.unit) != (quantity, unit):
        _count(user, batch, unit)


def restate_quantity(user: User, batch: Batch, quantity: Decimal) -> None:
    """Have a draft be as much as a feature above has counted. The caller holds the lot.

    :raises LessThanGone: where more has gone out of it.
    """
    if batch.quantity != quantity:
        batch.quantity = quantity
        _count(user, batch, batch.unit)


def _add_revision(user: User, batch: Batch, reason: str) -> BatchRevision:
    revision = BatchRevision(
        batch=batch,
        number=len(batch.revisions) + 1,
        facts=facts_of(batch).plain(),
        reason=reason,
        created_by_id=user.id,
    )
    db.session.add(revision)
    db.session.flush()
    return revision


def batch_for(user: User, batch_id: int) -> Batch:
    """A batch that the user may see.

    :raises NotFound: where there is none.
    """
    batch = db.session.get(Batch, batch_id, options=[joinedload(Batch.product), joinedload(Batch.site)])
    if batch is None or not may_see(user, batch.producer_id, batch.division_code):
        raise NotFound
    return batch


def own_batch(user: User, batch_id: int) -> Batch:
    """A batch that the user may change: its own producer's.

    :raises NotFound: where there is none.
    """
    batch = batch_for(user, batch_id)
    if user.role is not RoleName.PRODUCER:
        raise NotFound
    return batch


def find_batches(
    user: User, *, search: str = "", state: str = "", kind_code: str = "", page: int = 1, per_page: int = PER_PAGE
) -> Pagination:
    """The batches that a user may see, newest first.

    :param search: part of a lot number, product or producer's name.
    :param state: ``draft``, ``released``, ``closed``, ``held`` or ``recalled``; empty for all.
    """
    query = batches_seen(user, search=search, state=state, kind_code=kind_code)
    query = query.options(*SHOWN, undefer(Batch.notices)).order_by(Batch.created_at.desc(), Batch.id.desc())
    return db.paginate(query, page=page, per_page=per_page, max_per_page=100, error_out=False)


SHOWN = (joinedload(Batch.product).joinedload(Product.kind), joinedload(Batch.site), joinedload(Batch.producer))
"""What a list shows of lots."""


def batches_seen(user: User, *, search: str = "", state: str = "", kind_code: str = "") -> sa.Select[Batch]:
    """The batches that a user may see and looks for, in no order; the parameters are those of `find_batches`."""
    query = sa.select(Batch).where(visible_to(user, Batch.producer_id, Batch.division_code))
    if search:
        query = query.join(Batch.product).join(Batch.producer)
        query = query.where(
            sa.or_(
                has_number(search),
                *(
                    column.icontains(search, autoescape=True)
                    for column in (Product.name, Product.name_en, Organisation.name)
                ),
            )
        )
    recalled, held = Batch.id.in_(stopped_lots(IN_FORCE)), Batch.id.in_(stopped_lots(HOLDING))
    if state == "recalled":
        query = query.where(recalled)
    elif state == "held":
        query = query.where(held, ~recalled)
    elif state:
        query = query.where(Batch.status == BatchStatus(state), ~recalled, ~held)
    if kind_code:
        query = query.where(Batch.product_id.in_(sa.select(Product.id).where(Product.kind_code == kind_code)))
    return query


def lot_alike(producer_id: int, lot_number: str, *, besides: int | None = None) -> str | None:
    """The producer's lot number that is the same as another but for case, width and kind of dash.

    :param besides: the id of a batch that does not count.
    """
    query = sa.select(Batch.lot_number).where(
        Batch.producer_id == producer_id, same_number(Batch.lot_number, lot_number)
    )
    if besides is not None:
        query = query.where(Batch.id != besides)
    return db.session.scalar(query.limit(1))


def has_number(text: str) -> sa.ColumnElement[bool]:
    """Whether a text is in a lot's number: as it is written, or from four characters on however it is typed."""
    as_written = Batch.lot_number.icontains(text, autoescape=True)
    plain = fold(text)
    return sa.or_(as_written, Batch.lot_fold.contains(plain, autoescape=True)) if len(plain) > 3 else as_written


def lot_numbers_alike(producer_id: int) -> dict[str, str]:
    """A producer's lot numbers by what they are without case, width and kind of dash."""
    numbers = db.session.scalars(sa.select(Batch.lot_number).filter_by(producer_id=producer_id))
    return {without_spaces(number): number for number in numbers}


def suggested_lot_number(user: User, today: date) -> str:
    """A lot number that the producer has not used: the day and a counter."""
    stem = today.strftime("%Y%m%d")
    used = set(
        db.session.scalars(
            db.select(Batch.lot_number).where(
                Batch.producer_id == user.organisation_id, Batch.lot_number.startswith(stem)
            )
        )
    )
    number = 1
    while f"{stem}-{number:02d}" in used:
        number += 1
    return f"{stem}-{number:02d}"
