"""Test reports and certificates of a lot as pages and rules read them: rows, for less than objects cost."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.certificates.models import Certificate, CertificateType
from trace_app.clock import today
from trace_app.extensions import db
from trace_app.laboratory.models import TestReport, TestResult, TestSubject, Verdict
from trace_app.media.models import Document


class ShownDocument(NamedTuple):
    name: str


class ShownResult(NamedTuple):
    """Of a `TestResult`, what is shown and judged by."""

    id: int
    analyte: str
    analyte_en: str
    method: str
    detected: bool
    value: Decimal | None
    unit: str
    limit_op: str
    limit_value: Decimal | None
    limit_unit: str
    limit_standard: str
    verdict: Verdict


AnyResult = TestResult | ShownResult


class ShownReport(NamedTuple):
    """Of a `TestReport`, what is shown and judged by."""

    document: ShownDocument | None
    results: list[ShownResult]
    id: int
    subject: TestSubject
    report_number: str
    laboratory: str
    cma_number: str
    sampled_on: date
    issued_on: date
    verdict: Verdict


class ShownCertificate(NamedTuple):
    """Of a `Certificate`, what is shown."""

    document: ShownDocument | None
    type: CertificateType
    number: str
    issuer: str
    valid_from: date
    valid_until: date


_OF_REPORT = ShownReport._fields[2:]
_RESULTS_AT = 1 + len(_OF_REPORT)


def not_corrected() -> sa.ColumnElement[bool]:
    """Test reports that no other takes the place of."""
    newer = aliased(TestReport)
    return ~sa.exists().where(newer.replaces_id == TestReport.id)


def tests_of(batch: Batch) -> list[ShownReport]:
    """The test reports of a lot and of its site's soil and water that no other replaces, the latest first."""
    rows = db.session.execute(_tests(), {"batch_id": batch.id, "site_id": batch.site_id})
    found = []
    for _id, group in groupby(rows, lambda row: row[1]):
        same = list(group)
        results = [ShownResult(*row[_RESULTS_AT:]) for row in same if row[_RESULTS_AT] is not None]
        found.append(ShownReport(_document(same[0]), results, *same[0][1:_RESULTS_AT]))
    return found


@cache
def _tests() -> Any:
    """Made once: trace pages ask this often. A row for each result of a report."""
    return (
        sa.select(
            Document.name,
            *(getattr(TestReport, name) for name in _OF_REPORT),
            *(getattr(TestResult, name) for name in ShownResult._fields),
        )
        .join_from(TestReport, TestResult, isouter=True)
        .outerjoin(Document, Document.id == TestReport.document_id)
        .where(
            sa.or_(TestReport.batch_id == sa.bindparam("batch_id"), TestReport.site_id == sa.bindparam("site_id")),
            not_corrected(),
        )
        .order_by(TestReport.sampled_on.desc(), TestReport.id.desc(), TestResult.id)
    )


def certificates_shown(batch: Batch) -> list[ShownCertificate]:
    """The certificates of a lot's product or producer that are in force today."""
    return _in_force(batch.producer_id, batch.product_id)


def certificates_of_product(product: Product) -> list[ShownCertificate]:
    """The certificates of a product or its producer that are in force today."""
    return _in_force(product.producer_id, product.id)


def _in_force(producer_id: int, product_id: int) -> list[ShownCertificate]:
    values = {"producer_id": producer_id, "product_id": product_id, "day": today()}
    return [ShownCertificate(_document(row), *row[1:]) for row in db.session.execute(_certificates_in_force(), values)]


@cache
def _certificates_in_force() -> Any:
    """Made once: trace pages ask this often."""
    day: Any = sa.bindparam("day")
    return (
        sa.select(Document.name, *(getattr(Certificate, name) for name in ShownCertificate._fields[1:]))
        .join_from(Certificate, Document, Document.id == Certificate.document_id, isouter=True)
        .where(
            Certificate.producer_id == sa.bindparam("producer_id"),
            sa.or_(Certificate.product_id.is_(None), Certificate.product_id == sa.bindparam("product_id")),
            Certificate.withdrawn_at.is_(None),
            Certificate.valid_from <= day,
            Certificate.valid_until >= day,
        )
        .order_by(Certificate.id)
    )


def _document(row: Any) -> ShownDocument | None:
    """:param row: with the document's name in front."""
    return None if row[0] is None else ShownDocument(row[0])
