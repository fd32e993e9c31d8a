"""Test reports: entered by the producer or by the laboratory itself, judged by us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from qr.codes import InvalidCode
from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, may_see
from trace_app.accounts.models import RoleName, User
from trace_app.batches.freshness import shown_on_trace_pages
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Site
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.labels.packing import code_from_scan
from trace_app.labels.service import label_of_code
from trace_app.laboratory.models import TestReport, TestResult
from trace_app.laboratory.reports import not_corrected
from trace_app.laboratory.verdicts import MeasuredResult, limit_for, verdict, verdict_of_all
from trace_app.media.service import keep_pdf
from trace_app.reference.models import Limit
from trace_app.values import Facts


def _of_report(report: TestReport) -> sa.ColumnElement[bool]:
    return Batch.id == report.batch_id if report.batch_id is not None else Batch.site_id == report.site_id


shown_on_trace_pages(TestReport, _of_report)


class ReportKnown(Problem):
    title = _("报告 %(number)s 已录入。录错了请打开它，用“更正”。")


class ReportCorrected(Problem):
    title = _("这份报告已被更正过，请更正最新的那一份。")


@dataclass(frozen=True, slots=True)
class ResultFacts:
    """One line of a report."""

    analyte: str
    method: str
    reading: MeasuredResult
    unit: str


def lots_for_laboratory(text: str) -> list[Batch]:
    """The lots that a laboratory means by a trace code, or by a lot number as it stands on the label."""
    try:
        return [db.session.get_one(Batch, label_of_code(code_from_scan(text)).batch_id)]
    except InvalidCode:
        query = (
            db.select(Batch)
            .where(Batch.lot_number == text.strip())
            .options(joinedload(Batch.product), joinedload(Batch.producer))
            .order_by(Batch.id.desc())
            .limit(20)
        )
        return list(db.session.scalars(query))


def lot_to_test(user: User, batch_id: int) -> Batch:
    """A lot that the user may enter a report on: its own, or any for a laboratory.

    :raises NotFound:
    """
    batch = db.session.get(Batch, batch_id)
    if batch is None or not (
        user.role is RoleName.LABORATORY
        or (user.role is RoleName.PRODUCER and batch.producer_id == user.organisation_id)
    ):
        raise NotFound
    return batch


def limits_of(kind_code: str) -> list[Limit]:
    return list(db.session.scalars(db.select(Limit).filter_by(kind_code=kind_code).order_by(Limit.id)))


def add_report(
    user: User,
    facts: Facts,
    results: Sequence[ResultFacts],
    *,
    batch: Batch | None = None,
    site: Site | None = None,
    pdf: tuple[str, bytes] | None = None,
    replaces: TestReport | None = None,
    reason: str = "",
) -> TestReport:
    """Keep a report with our verdicts. It makes its lot due for a check; whoever enters it has that done at once.

    :param batch: what was tested, or ``site`` for its soil or water.
    :param pdf: file name and content of the report itself.
    :param replaces: the report that this one corrects.
    :raises ReportKnown, ReportCorrected, NotAPdf, DocumentTooLarge:
    """
    _check_new(user, facts, batch, site, replaces)
    limits = limits_of(batch.product.kind_code) if batch is not None else []
    rows = [_judged(result, facts["sampled_on"], limits) for result in results]
    report = TestReport(
        **facts,
        batch_id=batch.id if batch is not None else None,
        site_id=site.id if site is not None else None,
        verdict=verdict_of_all([row.verdict for row in rows]),
        replaces_id=replaces.id if replaces is not None else None,
        correction_reason=reason,
        entered_by_id=user.id,
        entered_for_id=user.organisation_id,
        results=rows,
    )
    if pdf is not None:
        report.document_id = keep_pdf(user, *pdf).id
    elif replaces is not None:
        report.document_id = replaces.document_id
    db.session.add(report)
    db.session.flush()
    audit.note(user, "add", report, number=report.report_number, verdict=report.verdict.value, batch=report.batch_id)
    return report


def _check_new(user: User, facts: Facts, batch: Batch | None, site: Site | None, replaces: TestReport | None) -> None:
    # The lot or site is held until the commit, so that two can't correct one report at once.
    place = batch if batch is not None else site
    db.session.refresh(place, with_for_update={"of": type(place), "key_share": True})
    if replaces is not None and db.session.scalar(db.select(TestReport.id).filter_by(replaces_id=replaces.id)):
        raise ReportCorrected
    known = db.session.scalar(
        db.select(TestReport.id).filter_by(
            report_number=facts["report_number"],
            laboratory=facts["laboratory"],
            batch_id=batch.id if batch is not None else None,
            site_id=site.id if site is not None else None,
        )
    )
    if known is not None and replaces is None:
        raise ReportKnown(number=facts["report_number"])


def _judged(result: ResultFacts, day: date, limits: Sequence[Limit]) -> TestResult:
    limit = limit_for(limits, result.analyte, day)
    row = TestResult(
        analyte=result.analyte,
        analyte_en=limit.analyte_en if limit is not None else "",
        method=result.method,
        detected=result.reading.detected,
        value=result.reading.value,
        unit=result.unit,
        verdict=verdict(result.reading, result.unit, limit),
    )
    if limit is not None:
        row.limit_op, row.limit_value, row.limit_unit, row.limit_standard = (
            limit.op,
            limit.value,
            limit.unit,
            limit.standard,
        )
    return row


def report_for(user: User, report_id: int) -> TestReport:
    """A report that the user may see: of its own lots or jurisdiction, or entered by its laboratory.

    :raises NotFound:
    """
    report = db.session.get(TestReport, report_id)
    if report is None:
        raise NotFound
    if report.entered_for_id == user.organisation_id:
        return report

    place = report.batch or report.site
    if place is None or not may_see(user, place.producer_id, place.division_code):
        raise NotFound
    return report


def own_report(user: User, report_id: int) -> TestReport:
    """A report that the user's own organisation entered.

    :raises NotFound:
    """
    report = report_for(user, report_id)
    if report.entered_for_id != user.organisation_id:
        raise NotFound
    return report


def reports_entered_by(user: User) -> list[TestReport]:
    """The latest reports that an organisation entered."""
    query = (
        db.select(TestReport)
        .filter_by(entered_for_id=user.organisation_id)
        .options(joinedload(TestReport.batch).joinedload(Batch.product), joinedload(TestReport.site))
        .order_by(TestReport.id.desc())
        .limit(50)
    )
    return list(db.session.scalars(query))


def reports_on(site: Site) -> list[TestReport]:
    """Soil and water reports of a site, the latest first, without those that were corrected."""
    query = (
        db.select(TestReport)
        .where(TestReport.site_id == site.id, not_corrected())
        .order_by(TestReport.sampled_on.desc(), TestReport.id.desc())
    )
    return list(db.session.scalars(query))
