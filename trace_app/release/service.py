"""Checking lots against the rules, and releasing those that pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa
import structlog
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.accounts.models import User
from trace_app.batches import service as batches
from trace_app.batches.freshness import judged_by_rules
from trace_app.batches.models import Batch, BatchStatus
from trace_app.catalogue.models import Product, ProductKind, Stage
from trace_app.certificates.commitments import in_question
from trace_app.certificates.models import Certificate
from trace_app.certificates.owed import sent_without
from trace_app.clock import today
from trace_app.db.session import transaction
from trace_app.errors import Problem
from trace_app.extensions import db, jobs
from trace_app.findings.models import Finding
from trace_app.findings.rules import Found, message_of
from trace_app.findings.service import plain_facts, reconcile, standing
from trace_app.labels.amounts import items_printed
from trace_app.laboratory.reports import tests_of
from trace_app.messages.models import Severity
from trace_app.records.service import in_force, records_of
from trace_app.reference.models import GiArea, ProhibitedSubstance
from trace_app.release.lot import Lot
from trace_app.release.rules import check
from trace_app.stock.service import balances

AT_ONCE = 500
"""Lots that one sweep checks at most."""


log = structlog.get_logger()


def _of_kind(code: str) -> sa.ColumnElement[bool]:
    return Batch.product_id.in_(sa.select(Product.id).where(Product.kind_code == code))


judged_by_rules(ProductKind, lambda kind: _of_kind(kind.code))


judged_by_rules(Stage, lambda stage: _of_kind(stage.kind_code))


class ReleaseBlocked(Problem):
    """The rules found what stops a release. ``findings`` are what they found."""

    title = _("批次 %(lot)s 还不能放行：%(faults)s")

    def __init__(self, lot: str, findings: list[Finding]) -> None:
        super().__init__(lot=lot, faults=" ".join(message_of(finding) for finding in findings))
        self.findings = findings


def load_lot(batch: Batch) -> Lot:
    """A lot with all that the rules look at."""
    records = in_force(records_of(batch))
    kind_code = batch.product.kind_code
    stock = {record.stock.id: record.stock for record in records if record.stock is not None}
    return Lot(
        batch=batch,
        records=records,
        tests=tests_of(batch),
        certificates=list(
            db.session.scalars(
                db.select(Certificate).where(
                    Certificate.producer_id == batch.producer_id, Certificate.withdrawn_at.is_(None)
                )
            )
        ),
        prohibited=list(db.session.scalars(db.select(ProhibitedSubstance))),
        gi_areas=list(db.session.scalars(db.select(GiArea).filter_by(kind_code=kind_code))),
        stock=balances(list(stock.values())) if stock else {},
        today=today(),
        once_blocking=list(
            db.session.scalars(
                db.select(Finding).where(Finding.batch_id == batch.id, Finding.severity == Severity.BLOCK)
            )
        ),
        labels=0 if batch.status is BatchStatus.DRAFT else items_printed(batch),
        sent_without=[] if batch.status is BatchStatus.DRAFT else sent_without(batch),
        in_question=in_question(batch),
    )


_stop_sale: list[Callable[[Batch, Sequence[Finding]], None]] = []


def stops_sale_by(stop: Callable[[Batch, Sequence[Finding]], None]) -> None:
    """Have a feature above stop the sale of a lot that is out, for findings for which it was not stopped before."""
    _stop_sale.append(stop)


def check_lot(batch: Batch) -> None:
    """Hold a lot against all rules and keep what they find; what no longer holds goes into the history.

    The sale of a lot that is out stops at once where a rule finds what would have stopped its release.
    """
    version = batch.version
    found = check(load_lot(batch))
    if batch.status is not BatchStatus.DRAFT and _blocking(batch, found):
        # Its sale stops, unless it is stopped: that lock comes before the lot's.
        batches.no_use_meanwhile()
    db.session.refresh(batch, with_for_update={"of": Batch, "key_share": True})
    if batch.version != version:
        version = batch.version
        found = check(load_lot(batch))
    reconcile(found, producer_id=batch.producer_id, division_code=batch.division_code, batch=batch)
    if batch.status is not BatchStatus.DRAFT and not batch.recalled:
        stopping = [row for row in standing(batch) if row.stops_release and row.stopped_sale_at is None]
        for stop in _stop_sale if stopping else ():
            stop(batch, stopping)
    # A change in the meantime leaves it due.
    db.session.execute(
        sa.update(Batch).where(Batch.id == batch.id, Batch.version == version).values(checked_on=today()),
        execution_options={"synchronize_session": False},
    )
    db.session.expire(batch, ["checked_on", "version"])


def _blocking(batch: Batch, found: Sequence[Found]) -> bool:
    """Whether something stops a lot that no authority has waived, and for which its sale was not stopped before."""
    settled = {
        (row.rule, row.key, row.severity): row.facts
        for row in standing(batch)
        if row.stopped_sale_at is not None or row.waiver is not None
    }
    return any(
        one.severity is Severity.BLOCK and settled.get((one.rule, one.key, one.severity)) != plain_facts(one)
        for one in found
    )


def about_to_be_held(batch: Batch) -> bool:
    """Whether the check that a lot is due for will stop its sale."""
    return batch.checked_on is None and _blocking(batch, check(load_lot(batch)))


batches.stops_sale(about_to_be_held)


def is_due(batch: Batch) -> bool:
    """Whether something has changed since the latest check, or a day has gone by."""
    return batch.checked_on is None or (batch.status is not BatchStatus.CLOSED and batch.checked_on < today())


def checked_batch(user: User, batch_id: int) -> Batch:
    """A batch that the user may see, checked now if it is due.

    :raises NotFound:
    """
    batch = batches.batch_for(user, batch_id)
    if is_due(batch):
        with transaction():
            check_lot(batches.batch_for(user, batch_id))
        batch = batches.batch_for(user, batch_id)
    return batch


def release_batch(user: User, batch: Batch) -> None:
    """Release a lot that no rule stops.

    :raises ReleaseBlocked: with what the rules found.
    :raises NotADraft, UnderRecall:
    """
    batches.must_be_draft(batch)
    check_lot(batch)
    stopping = [finding for finding in standing(batch) if finding.stops_release]
    if stopping:
        raise ReleaseBlocked(batch.lot_number, stopping)
    batches.mark_released(user, batch)


def _due_by_day() -> sa.ColumnElement[bool]:
    return sa.and_(Batch.checked_on < today(), Batch.status != BatchStatus.CLOSED)


def lots_due() -> tuple[int, int]:
    """How many lots are due for a check because something has changed, and because a day has gone by."""
    changed, daily = (
        db.session.scalar(sa.select(sa.func.count()).select_from(Batch).where(due)) or 0
        for due in (Batch.checked_on.is_(None), _due_by_day())
    )
    return changed, daily


@jobs.every_minute
def check_due() -> None:
    """Check the lots that are due."""
    due = sa.or_(Batch.checked_on.is_(None), _due_by_day())
    for batch_id in db.session.scalars(db.select(Batch.id).where(due).order_by(Batch.id).limit(AT_ONCE)).all():
        _check_apart(batch_id)


def check_due_of(user: User) -> None:
    """Check the lots of a producer that are due now, before it is told what there is to do."""
    query = db.select(Batch.id).where(Batch.producer_id == user.organisation_id, Batch.checked_on.is_(None))
    for batch_id in db.session.scalars(query.order_by(Batch.id.desc()).limit(50)).all():
        _check_apart(batch_id)


def _check_apart(batch_id: int) -> None:
    """One lot in a transaction of its own: what is wrong with one keeps no other waiting."""
    try:
        with transaction():
            check_lot(db.session.get_one(Batch, batch_id, options=[joinedload(Batch.product), joinedload(Batch.site)]))
    except sa.exc.SQLAlchemyError:
        log.exception("compliance check failed", batch=batch_id)
