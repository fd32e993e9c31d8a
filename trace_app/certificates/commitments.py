"""Commitment certificates of compliance (承诺达标合格证) for a lot or a part of it."""

from __future__ import annotations

import re
from decimal import Decimal

from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from qr.codes import MAX_INDEX
from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, may_see
from trace_app.accounts.models import Organisation, User
from trace_app.accounts.service import place_name
from trace_app.batches import service as batches
from trace_app.batches.models import Batch
from trace_app.certificates.models import CommitmentCertificate, CommitmentRun
from trace_app.clock import today
from trace_app.db import counters
from trace_app.db.base import utc_now
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.forms import plain_decimal
from trace_app.labels.keys import code_book
from trace_app.labels.models import LabelRun
from trace_app.labels.service import is_void, run_of_documents, url_of, void_labels
from trace_app.laboratory.models import TestSubject, Verdict
from trace_app.laboratory.reports import tests_of
from trace_app.laboratory.verdicts import analyte_key
from trace_app.records.models import Record, RecordType
from trace_app.records.service import in_force, records_of
from trace_app.units import UNITS

_BETWEEN = re.compile(r"[、，,;；+＋/·\s]+")
TESTED = frozenset({"commissioned_test", "own_test"})
"""Bases that stand on a test report."""


class MoreThanTheLot(Unprocessable):
    title = _("本批 %(quantity)s %(unit)s，已开具 %(issued)s %(unit)s，最多还能开具 %(left)s %(unit)s。")


class NoTestBehindIt(Unprocessable):
    title = _("承诺依据选了检测，但本批没有合格的检测报告。请先录入报告，或改选其他依据。")


class NotAllTested(Unprocessable):
    """What was used and not tested for must be known to who issues a certificate that rests on a test."""

    title = _("用过的 %(names)s 没有检测。请补检，或改选其他依据；仍要开具的，请勾选下面的确认，会写在合格证上。")


def not_tested(batch: Batch) -> list[str]:
    """The active ingredients of a lot's records that none of its test reports has a result of: 用什么药、检什么药."""
    tested = {
        analyte_key(name)
        for report in tests_of(batch)
        if report.subject is TestSubject.PRODUCT and not report.denied
        for result in report.results
        if not result.undecided
        for name in (result.analyte, result.analyte_en)
    }
    used: dict[str, str] = {}
    for record in in_force(records_of(batch)):
        if record.type in (RecordType.PESTICIDE, RecordType.VETERINARY):
            for name in _ingredients(record):
                used.setdefault(analyte_key(name), name)
    return [name for key, name in used.items() if key not in tested]


def _ingredients(record: Record) -> list[str]:
    """The active ingredients that a record names, or the label of what was used."""
    named = [one["name"] for one in record.stock.product.ingredients] if record.stock is not None else []
    return [name for name in (*named, *_BETWEEN.split(record.active_ingredient or "")) if name]


def issue_commitment(
    user: User,
    batch: Batch,
    *,
    quantity: Decimal,
    bases: list[str],
    consignee: str = "",
    though_not_tested: bool = False,
) -> CommitmentCertificate:
    """Give out a numbered certificate with a code of its own.

    Agricultural Product Quality and Safety Law (2022), article 39.

    :param quantity: in the lot's unit.
    :param bases: of `CommitmentCertificate.bases`.
    :param though_not_tested: whether it is known that not all that was used was tested for; the certificate says so.
    :raises MoreThanTheLot, NoTestBehindIt, NotAllTested, NotReleased, UnderRecall, AlreadyClosed:
    """
    producer, day = batch.producer, today()
    sequence = counters.take("certificate", producer.id, day.year)
    batches.must_be_on_sale(batch)
    issued = sum((row.quantity for row in commitments_of(batch) if row.withdrawn_at is None), Decimal(0))
    if issued + quantity > batch.quantity:
        raise MoreThanTheLot(
            quantity=plain_decimal(batch.quantity),
            issued=plain_decimal(issued),
            left=plain_decimal(max(batch.quantity - issued, Decimal(0))),
            unit=UNITS.get(batch.unit, batch.unit),
        )
    passed = any(
        report.subject is TestSubject.PRODUCT
        and report.verdict is not Verdict.FAIL
        and not report.denied
        and not all(result.undecided for result in report.results)
        for report in tests_of(batch)
    )
    if TESTED & set(bases) and not passed:
        raise NoTestBehindIt
    missing = "、".join(not_tested(batch)) if TESTED & set(bases) else ""
    if missing and not though_not_tested:
        raise NotAllTested(names=missing)
    part, index = divmod(sequence, MAX_INDEX + 1)
    run = _run_for(user, producer, day.year, part)
    row = CommitmentCertificate(
        number=_number(producer, day.year, sequence),
        batch_id=batch.id,
        quantity=quantity,
        unit=batch.unit,
        consignee=consignee,
        bases=bases,
        issued_on=day,
        facts=_facts(batch) | {"url": url_of(run, index), "not_tested": missing},
        run_id=run.id,
        index=index,
        created_by_id=user.id,
    )
    db.session.add(row)
    db.session.flush()
    audit.note(user, "issue", row, number=row.number, batch=batch.id, quantity=str(quantity))
    return row


def _facts(batch: Batch) -> dict[str, str]:
    producer = batch.producer
    return {
        "product": batch.product.name,
        "lot_number": batch.lot_number,
        "origin": place_name(batch.division, "zh"),
        "producer": producer.name,
        "credit_code": producer.credit_code or "",
        "phone": producer.phone,
        "address": producer.address,
    }


def _number(producer: Organisation, year: int, sequence: int) -> str:
    """County, year, and what tells nothing of the producer or how many it gave out: 530324-2026-7KQ2-M0XR-9T4V."""
    return f"{producer.division_code[:6]}-{year}-{counters.public_number('certificate', producer.id, year, sequence)}"


def _run_for(user: User, producer: Organisation, year: int, part: int) -> LabelRun:
    """The run of a producer's certificates of a year, begun with the first under each key.

    Whoever gives out one holds the year's counter, so none is begun twice.
    """
    key = (producer.id, year, code_book().newest, part)
    if known := db.session.get(CommitmentRun, key):
        return known.run
    run = run_of_documents(user)
    db.session.add(CommitmentRun(producer_id=key[0], year=key[1], key_number=key[2], part=key[3], run=run))
    return run


def commitments_of(batch: Batch) -> list[CommitmentCertificate]:
    """A lot's certificates, the latest first, with those taken back."""
    query = db.select(CommitmentCertificate).filter_by(batch_id=batch.id).order_by(CommitmentCertificate.id.desc())
    return list(db.session.scalars(query))


def commitment_for(user: User, commitment_id: int) -> CommitmentCertificate:
    """A certificate of a lot that the user may see.

    :raises NotFound:
    """
    row = db.session.get(CommitmentCertificate, commitment_id, options=[joinedload(CommitmentCertificate.batch)])
    if row is None or not may_see(user, row.batch.producer_id, row.batch.division_code):
        raise NotFound
    return row


def withdraw_commitment(user: User, row: CommitmentCertificate, reason: str) -> None:
    """Take a certificate back, after a mistake: who scans its code is told. It stays; its quantity is free."""
    if row.withdrawn_at is None:
        if not is_void(row.run.voided, row.index):
            void_labels(user, row.run, row.index, row.index, reason)
        row.withdrawn_at, row.withdrawn_reason = utc_now(), reason
        db.session.flush()
        audit.note(user, "withdraw", row, number=row.number, reason=reason)
