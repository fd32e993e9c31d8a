"""Commitment certificates of compliance (承诺达标合格证) for a lot or a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from qr.codes import MAX_INDEX
from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, within_jurisdiction
from trace_app.accounts.models import Organisation, User
from trace_app.accounts.service import place_name
from trace_app.batches import service as batches
from trace_app.batches.freshness import hold_in_order, shown_on_trace_pages
from trace_app.batches.models import Batch
from trace_app.certificates.kept import keeps_one, shipment_with
from trace_app.certificates.models import CommitmentCertificate, CommitmentRun
from trace_app.certificates.samples import (
    BASE_NAMES,
    SUBJECT_NAMES,
    TESTED,
    Sample,
    find_sample,
    sample_on,
    subject_of,
)
from trace_app.certificates.tested import has_passed, untested
from trace_app.clock import today
from trace_app.db import counters
from trace_app.db.base import utc_now
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.flow.balance import balance_of, gone_back, was_sent
from trace_app.folding import fold
from trace_app.forms import plain_decimal
from trace_app.labels.certified import tells_words
from trace_app.labels.keys import code_book
from trace_app.labels.models import LabelRun
from trace_app.labels.service import is_void, run_of_documents, url_of, void_labels
from trace_app.reference.models import CommitmentSubject
from trace_app.units import UNITS

shown_on_trace_pages(CommitmentCertificate, lambda row: Batch.id == row.batch_id)


@tells_words
def label_words(batch: Batch) -> str | None:
    """The words of labels that are the lot's certificate: of the newest that is in force; None where none is."""
    newest = next((row for row in commitments_of(batch) if row.withdrawn_at is None), None)
    return newest.wording.label_words if newest is not None else None


class MoreThanTheLot(Unprocessable):
    title = _("本批 %(quantity)s %(unit)s，已开具 %(issued)s %(unit)s，最多还能开具 %(left)s %(unit)s。")


class MustBeTheWholeLot(Unprocessable):
    """Who issues by production batch states all of it."""

    title = _("%(subject)s按生产批次开具合格证，一批一张：请填写本批的全部数量 %(left)s %(unit)s。")


class HasOne(Unprocessable):
    """Who issues by production batch gives out one that is in force."""

    title = _("本批已有合格证 %(number)s。%(subject)s按生产批次开具，一批一张；内容有误的，请先作废它再开。")


class NotABasis(Unprocessable):
    title = _("“%(base)s”不是 %(day)s 适用的样式里的承诺依据，请改选：%(bases)s。")


class NoTestBehindIt(Unprocessable):
    title = _("承诺依据选了“%(base)s”，但本批没有这类合格的检测报告。请先录入报告，或改选其他依据。")


class NotAllTested(Unprocessable):
    """What was used has to be tested for where a certificate rests on a test."""

    title = _("用过的 %(names)s 没有检测。用什么药、检什么药：请补检，或改选其他依据。")


class NoneKept(Unprocessable):
    """A buyer commits itself to having collected the certificate that came with the goods, and to keeping it."""

    title = _("这批货还没有收存有效的合格证，不能承诺“已按规定收取并保存”。请先收存随货的合格证，再来开具。")


def issue_commitment(
    user: User, batch: Batch, *, quantity: Decimal, bases: list[str], consignee: str = ""
) -> CommitmentCertificate:
    """Give out a numbered certificate with a code of its own, by the rule of today.

    Agricultural Product Quality and Safety Law (2022), article 39.

    :param batch: the user's own, or one that its organisation was sent some of: see `lot_to_certify`.
    :param quantity: in the lot's unit.
    :param bases: of the day's sample.
    :raises NoSample, NotABasis, MoreThanTheLot, MustBeTheWholeLot, HasOne, NoneKept, NoTestBehindIt, NotAllTested:
    :raises NotReleased, UnderRecall, AlreadyClosed:
    """
    issuer, day = user.organisation, today()
    subject = subject_of(issuer, batch)
    sample = sample_on(day, subject)
    bases = list(dict.fromkeys(bases))
    _must_be_bases(sample, bases, day)
    sequence = counters.take("certificate", issuer.id, day.year)
    if subject is CommitmentSubject.BUYER:
        # It holds the lot, as who withdraws a certificate does: what is kept counts until this is done.
        batches.must_not_be_stopped(batch)
        if not keeps_one(batch, issuer.id):
            raise NoneKept
    else:
        batches.must_be_on_sale(batch)
    per_batch = subject in sample.per_batch
    _must_fit(batch, issuer, quantity, SUBJECT_NAMES[subject] if per_batch else None)
    _must_be_tested(batch, sample, bases)
    part, index = divmod(sequence, MAX_INDEX + 1)
    run = _run_for(user, issuer, day.year, part)
    row = CommitmentCertificate(
        number=_number(issuer, day.year, sequence),
        batch_id=batch.id,
        issuer_id=issuer.id,
        per_batch=per_batch,
        quantity=quantity,
        unit=batch.unit,
        consignee=consignee,
        bases=bases,
        issued_on=day,
        sample=sample.model_dump(mode="json"),
        facts=_facts(batch, issuer) | {"url": url_of(run, index)},
        run_id=run.id,
        index=index,
        created_by_id=user.id,
    )
    db.session.add(row)
    db.session.flush()
    audit.note(user, "issue", row, number=row.number, batch=batch.id, quantity=str(quantity))
    return row


def _must_be_bases(sample: Sample, bases: list[str], day: date) -> None:
    for base in bases:
        if base not in sample.bases:
            others = "、".join(map(sample.base_words, sample.bases))
            raise NotABasis(base=BASE_NAMES.get(base, base), day=day, bases=others)


def _must_fit(batch: Batch, issuer: Organisation, quantity: Decimal, whole_for: LazyString | None) -> None:
    """:param whole_for: what who issues by production batch is called; None where parts of a lot may have their own.
    :raises MoreThanTheLot, MustBeTheWholeLot, HasOne:
    """
    unit = UNITS.get(batch.unit, batch.unit)
    there, given_out = _amount_of(batch, issuer.id), _given_out(batch, issuer.id)
    left = given_out.left_of(there)
    if whole_for is not None and given_out.of_the_whole is not None:
        raise HasOne(number=given_out.of_the_whole.number, subject=whole_for)
    if quantity > left:
        issued = plain_decimal(given_out.quantity)
        raise MoreThanTheLot(quantity=plain_decimal(there), issued=issued, left=plain_decimal(left), unit=unit)
    if whole_for is not None and quantity != left:
        raise MustBeTheWholeLot(subject=whole_for, left=plain_decimal(left), unit=unit)


def _amount_of(batch: Batch, issuer_id: int) -> Decimal:
    """How much of a lot someone has made; or was sent, took and did not send back."""
    if issuer_id == batch.producer_id:
        return batch.quantity
    return balance_of(batch, issuer_id).came - gone_back(batch, issuer_id)


@dataclass(frozen=True, slots=True)
class _GivenOut:
    """The certificates of a lot that someone has given out and that are in force.

    :ivar quantity: what they are for, in the lot's unit.
    :ivar of_the_whole: the one that is by production batch.
    """

    quantity: Decimal
    of_the_whole: CommitmentCertificate | None

    def left_of(self, there: Decimal) -> Decimal:
        return max(there - self.quantity, Decimal(0))


def _given_out(batch: Batch, issuer_id: int) -> _GivenOut:
    rows = [row for row in commitments_of(batch, issuer_id) if row.withdrawn_at is None]
    return _GivenOut(
        sum((row.quantity for row in rows), Decimal(0)), next((row for row in rows if row.per_batch), None)
    )


def _must_be_tested(batch: Batch, sample: Sample, bases: list[str]) -> None:
    """:raises NoTestBehindIt, NotAllTested:"""
    tested = [base for base in bases if base in TESTED]
    for base in tested:
        if not has_passed(batch, base):
            raise NoTestBehindIt(base=sample.base_words(base))
    if tested and (missing := untested(batch, tested)):
        raise NotAllTested(names="、".join(missing))


@dataclass(frozen=True, slots=True)
class CommitmentOffer:
    """What someone may issue for a lot today.

    :ivar left: how much has no certificate of theirs.
    :ivar in_force: the one of the whole lot, which has to be withdrawn first.
    :ivar to_collect: the shipment whose certificate a buyer has to keep first; None where nothing is wanting.
    """

    day: date
    sample: Sample | None
    subject: LazyString
    per_batch: bool
    left: Decimal
    in_force: CommitmentCertificate | None
    to_collect: int | None


def offer_for(issuer: Organisation, batch: Batch) -> CommitmentOffer:
    """What an organisation may issue for a lot today."""
    day, subject = today(), subject_of(issuer, batch)
    sample = find_sample(day, subject)
    per_batch = sample is not None and subject in sample.per_batch
    given_out = _given_out(batch, issuer.id)
    in_force = given_out.of_the_whole if per_batch else None
    wanting = subject is CommitmentSubject.BUYER and not keeps_one(batch, issuer.id)
    to_collect = shipment_with(batch, issuer.id) if wanting else None
    left = given_out.left_of(_amount_of(batch, issuer.id))
    return CommitmentOffer(day, sample, SUBJECT_NAMES[subject], per_batch, left, in_force, to_collect)


def lot_to_certify(user: User, batch_id: int) -> Batch:
    """A lot that a producer or buyer may issue certificates of: its own, or one that it was sent some of.

    :raises NotFound:
    """
    batch = db.session.get(Batch, batch_id, options=[joinedload(Batch.product), joinedload(Batch.producer)])
    if batch is None or not (batch.producer_id == user.organisation_id or was_sent(batch, user.organisation_id)):
        raise NotFound
    return batch


def _facts(batch: Batch, issuer: Organisation) -> dict[str, str]:
    return {
        "product": batch.product.name,
        "lot_number": batch.lot_number,
        "origin": place_name(batch.division, "zh"),
        "producer": issuer.name,
        "credit_code": issuer.credit_code or "",
        "phone": issuer.phone,
        "address": issuer.address,
    }


def _number(issuer: Organisation, year: int, sequence: int) -> str:
    """County, year, and what tells nothing of the issuer or how many it gave out: 530324-2026-7KQ2-M0XR-9T4V."""
    return f"{issuer.division_code[:6]}-{year}-{counters.public_number('certificate', issuer.id, year, sequence)}"


def _run_for(user: User, issuer: Organisation, year: int, part: int) -> LabelRun:
    """The run of someone's certificates of a year, begun with the first under each key.

    Whoever gives out one holds the year's counter, so none is begun twice.
    """
    key = (issuer.id, year, code_book().newest, part)
    if known := db.session.get(CommitmentRun, key):
        return known.run
    run = run_of_documents(user)
    db.session.add(CommitmentRun(producer_id=key[0], year=key[1], key_number=key[2], part=key[3], run=run))
    return run


def commitments_of(batch: Batch, issuer_id: int | None = None) -> list[CommitmentCertificate]:
    """A lot's certificates by one issuer, the latest first, with those taken back.

    :param issuer_id: the producer where not given.
    """
    query = (
        db.select(CommitmentCertificate)
        .filter_by(batch_id=batch.id, issuer_id=issuer_id or batch.producer_id)
        .order_by(CommitmentCertificate.id.desc())
    )
    return list(db.session.scalars(query))


def commitments_shown(batch: Batch) -> list[CommitmentCertificate]:
    """What a lot's trace page shows: the producer's certificates in force, the latest first; where there is none, the
    latest that was withdrawn, as labels or papers may still bear it."""
    rows = commitments_of(batch)
    return [row for row in rows if row.withdrawn_at is None] or rows[:1]


def commitment_numbered(number: str) -> CommitmentCertificate:
    """A certificate by its number as it was typed, for whoever has it.

    :raises NotFound: where there is none, or several are meant.
    """
    exactly = db.select(CommitmentCertificate).filter_by(number=number)
    alike = db.select(CommitmentCertificate).filter_by(number_fold=fold(number)).limit(2)
    rows: list[CommitmentCertificate] = list(db.session.scalars(exactly)) or list(db.session.scalars(alike))
    if len(rows) != 1:
        raise NotFound
    return rows[0]


def newer_than(row: CommitmentCertificate) -> CommitmentCertificate | None:
    """The newest certificate in force that took a withdrawn one's place: of the same lot and issuer."""
    rows = commitments_of(row.batch, row.issuer_id)
    return next((one for one in rows if one.withdrawn_at is None), None) if row.withdrawn_at is not None else None


def is_in_question(row: CommitmentCertificate) -> bool:
    """Whether a buyer's certificate rests on one that came with the goods and was withdrawn since."""
    buyers = row.issuer_id != row.batch.producer_id
    return buyers and row.withdrawn_at is None and not keeps_one(row.batch, row.issuer_id)


def standing_of(row: CommitmentCertificate) -> LazyString:
    """Whether a certificate counts, in words."""
    if row.withdrawn_at is not None:
        return _("已作废")
    if row.batch.recalled:
        return _("批次已召回，此证不再有效")
    if row.batch.held:
        return _("批次暂停销售，此证暂不作数")
    return _("所依据的合格证已作废，此证待核实") if is_in_question(row) else _("有效")


def in_question(batch: Batch) -> list[CommitmentCertificate]:
    """The certificates of a lot that rest on what was withdrawn, the first in front."""
    query = (
        db.select(CommitmentCertificate)
        .where(
            CommitmentCertificate.batch_id == batch.id,
            CommitmentCertificate.issuer_id != batch.producer_id,
            CommitmentCertificate.withdrawn_at.is_(None),
        )
        .options(joinedload(CommitmentCertificate.issuer))
        .order_by(CommitmentCertificate.id)
    )
    kept: dict[int, bool] = {}
    rows = list(db.session.scalars(query))
    for row in rows:
        if row.issuer_id not in kept:
            kept[row.issuer_id] = keeps_one(batch, row.issuer_id)
    return [row for row in rows if not kept[row.issuer_id]]


def commitment_of_code(run_id: int, index: int) -> CommitmentCertificate | None:
    """The certificate whose own code it is; None of a label's."""
    query = db.select(CommitmentCertificate).filter_by(run_id=run_id, index=index)
    row: CommitmentCertificate | None = db.session.scalar(query)
    return row


def commitment_for(user: User, commitment_id: int) -> CommitmentCertificate:
    """A certificate that the user's organisation issued, or of a lot in its jurisdiction.

    :raises NotFound:
    """
    row = db.session.get(CommitmentCertificate, commitment_id, options=[joinedload(CommitmentCertificate.batch)])
    if row is None or not (row.issuer_id == user.organisation_id or within_jurisdiction(user, row.batch.division_code)):
        raise NotFound
    return row


def withdraw_commitment(user: User, row: CommitmentCertificate, reason: str) -> None:
    """Take a certificate back, after a mistake: who scans its code is told. It stays; its quantity is free."""
    hold_in_order(db.session.connection(), Batch.id == row.batch_id)
    db.session.refresh(row, with_for_update={"of": CommitmentCertificate, "key_share": True})
    if row.withdrawn_at is None:
        if not is_void(row.run.voided, row.index):
            void_labels(user, row.run, row.index, row.index, reason)
        row.withdrawn_at, row.withdrawn_reason = utc_now(), reason
        db.session.flush()
        audit.note(user, "withdraw", row, number=row.number, reason=reason)
