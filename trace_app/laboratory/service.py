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
from trace_app.accounts.models import Organisation, OrganisationKind, RoleName, User
from trace_app.batches.freshness import shown_on_trace_pages
from trace_app.batches.models import Batch, BatchStatus
from trace_app.batches.service import no_use_meanwhile
from trace_app.catalogue.models import Site
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.folding import fold_name, without_spaces
from trace_app.labels.packing import code_from_scan
from trace_app.labels.service import label_of_code
from trace_app.laboratory.models import LaboratoryAnswer, TestOrder, TestReport, TestResult, Verdict
from trace_app.laboratory.reports import not_corrected
from trace_app.laboratory.verdicts import MeasuredResult, limit_for, verdict, verdict_of_all
from trace_app.media.models import Document
from trace_app.media.service import keep_document
from trace_app.reference.models import Limit
from trace_app.values import Facts


def _of_report(report: TestReport) -> sa.ColumnElement[bool]:
    return Batch.id == report.batch_id if report.batch_id is not None else Batch.site_id == report.site_id


shown_on_trace_pages(TestReport, _of_report)
shown_on_trace_pages(
    LaboratoryAnswer,
    lambda answer: Batch.id.in_(sa.select(TestReport.batch_id).where(TestReport.id == answer.report_id)),
)


class ReportKnown(Problem):
    title = _("这家机构的报告 %(number)s 已录入过，一份报告只能录入一次。录错了请打开它，用“更正”。")


class NumberTaken(Problem):
    title = _("样品编号 %(number)s 已委托过这家机构。请换一个编号。")


class AnsweredBefore(Problem):
    title = _("这份报告已经确认或否认过了。")


class ReportCorrected(Problem):
    title = _("这份报告已被更正过，请更正最新的那一份。")


@dataclass(frozen=True, slots=True)
class ResultFacts:
    """One line of a report."""

    analyte: str
    method: str
    reading: MeasuredResult
    unit: str


def code_of_sample(text: str) -> str | None:
    """The code of a label that a laboratory scanned or typed, or of its link; None where there is no such label."""
    try:
        return label_of_code(code_from_scan(text)).code
    except InvalidCode:
        return None


def lot_of_sample(code: str) -> Batch:
    """The lot that a laboratory has a label of.

    :raises NotFound:
    """
    try:
        return db.session.get_one(Batch, label_of_code(code).batch_id)
    except InvalidCode as error:
        raise NotFound from error


def laboratories() -> list[Organisation]:
    query = db.select(Organisation).filter_by(kind=OrganisationKind.LABORATORY).order_by(Organisation.name)
    return list(db.session.scalars(query))


def laboratory_called(name: str) -> Organisation | None:
    """The laboratory on the platform of this name, however it is spaced or capitalised."""
    return next(
        (row for row in laboratories() if fold_name(name) in {fold_name(row.name), fold_name(row.name_en)}), None
    )


def order_test(user: User, batch: Batch, laboratory: Organisation, facts: Facts) -> TestOrder:
    """Order a test of a lot: from then on the laboratory can enter its report.

    :raises NumberTaken:
    """
    number = str(facts["sample_number"])
    db.session.refresh(laboratory, with_for_update={"of": Organisation, "key_share": True})
    if db.session.scalar(db.select(TestOrder.id).filter_by(laboratory_id=laboratory.id, sample_number=number)):
        raise NumberTaken(number=number)
    order = TestOrder(batch_id=batch.id, laboratory_id=laboratory.id, created_by_id=user.id, **facts)
    db.session.add(order)
    db.session.flush()
    audit.note(user, "order", order, batch=batch.id, laboratory=laboratory.name, sample=number)
    return order


def orders_of(batch: Batch) -> list[TestOrder]:
    query = db.select(TestOrder).filter_by(batch_id=batch.id).options(joinedload(TestOrder.laboratory))
    return list(db.session.scalars(query.order_by(TestOrder.id.desc())))


def order_for(user: User, order_id: int) -> TestOrder:
    """An order that a laboratory was given.

    :raises NotFound:
    """
    order = db.session.get(TestOrder, order_id)
    if order is None or order.laboratory_id != user.organisation_id:
        raise NotFound
    return order


def open_orders(user: User) -> list[TestOrder]:
    """What a laboratory was asked to test and has no report on yet."""
    answered = sa.exists().where(
        TestReport.laboratory_id == TestOrder.laboratory_id,
        TestReport.batch_id == TestOrder.batch_id,
        TestReport.sample_number == TestOrder.sample_number,
    )
    query = (
        db.select(TestOrder)
        .where(TestOrder.laboratory_id == user.organisation_id, ~answered)
        .options(joinedload(TestOrder.batch).joinedload(Batch.product))
        .order_by(TestOrder.id)
        .limit(100)
    )
    return list(db.session.scalars(query))


def claims_on(user: User) -> list[TestReport]:
    """Reports that producers entered under a laboratory's name, and that it has yet to confirm or deny."""
    query = (
        db.select(TestReport)
        .where(
            TestReport.laboratory_id == user.organisation_id,
            TestReport.entered_for_id != user.organisation_id,
            ~sa.exists().where(LaboratoryAnswer.report_id == TestReport.id),
            not_corrected(),
        )
        .order_by(TestReport.id)
        .limit(100)
    )
    return list(db.session.scalars(query))


def answer_claim(user: User, report_id: int, *, confirmed: bool) -> TestReport:
    """Say that a report under the laboratory's name is its own, or is not.

    :raises NotFound, AnsweredBefore:
    """
    report = db.session.get(TestReport, report_id)
    if report is None or report.by_laboratory or report.laboratory_id != user.organisation_id:
        raise NotFound
    if report.batch is not None:
        db.session.refresh(report.batch, with_for_update={"of": Batch, "key_share": True})
    if report.answer is not None:
        raise AnsweredBefore
    report.answer = LaboratoryAnswer(confirmed=confirmed, answered_by_id=user.id)
    db.session.flush()
    audit.note(user, "confirm" if confirmed else "deny", report, number=report.report_number)
    return report


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
    document: Document | None = None,
    replaces: TestReport | None = None,
    reason: str = "",
) -> TestReport:
    """Keep a report with our verdicts. It makes its lot due for a check; whoever enters it has that done at once.

    :param batch: what was tested, or ``site`` for its soil or water.
    :param pdf: file name and content of the report itself.
    :param replaces: the report that this one corrects.
    :param document: the report itself, where it was kept before.
    :raises ReportKnown, ReportCorrected:
    """
    facts = facts | _whose(user, facts)
    rows = judged(results, facts["sampled_on"], batch)
    if batch is not None and batch.status is not BatchStatus.DRAFT and Verdict.FAIL in {row.verdict for row in rows}:
        # Its sale stops: that lock comes before the lot's.
        no_use_meanwhile()
    report = TestReport(
        **facts,
        report_key=_check_new(user, facts, batch, site, replaces),
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
        report.document_id = keep_document(user, *pdf, "pdf").id
    elif document is not None:
        report.document_id = document.id
    elif replaces is not None:
        report.document_id = replaces.document_id
    db.session.add(report)
    db.session.flush()
    audit.note(user, "add", report, number=report.report_number, verdict=report.verdict.value, batch=report.batch_id)
    return report


def _whose(user: User, facts: Facts) -> Facts:
    """Which laboratory a report is from: its own where it enters it, else what the producer says."""
    own = user.organisation
    if user.role is RoleName.LABORATORY:
        return {"laboratory": own.name, "cma_number": own.cma_number, "laboratory_id": own.id}
    known = laboratory_called(str(facts["laboratory"]))
    return {"laboratory_id": known.id if known is not None else None}


def _check_new(
    user: User, facts: Facts, batch: Batch | None, site: Site | None, replaces: TestReport | None
) -> str | None:
    """What tells the report from all others, see `TestReport.report_key`.

    :raises ReportKnown, ReportCorrected:
    """
    # The lot or site is held until the commit, so that two can't correct one report at once.
    place = batch if batch is not None else site
    db.session.refresh(place, with_for_update={"of": type(place), "key_share": True})
    if replaces is not None and db.session.scalar(db.select(TestReport.id).filter_by(replaces_id=replaces.id)):
        raise ReportCorrected
    key = f"{fold_name(str(facts['laboratory']))}|{without_spaces(str(facts['report_number']))}"
    if facts["laboratory_id"] not in (None, user.organisation_id):
        # Until the laboratory says that it is its own, it takes nobody's number.
        key += f"|{user.organisation_id}"
    known = db.session.scalar(db.select(TestReport).filter_by(report_key=key))
    if known is None:
        return key
    earlier = replaces
    while earlier is not None and earlier.id != known.id:
        earlier = earlier.replaces
    if earlier is None:
        raise ReportKnown(number=facts["report_number"])
    return None


def judged(results: Sequence[ResultFacts], day: date, batch: Batch | None) -> list[TestResult]:
    """Results with our verdicts, by the limits for a lot's kind that were in force on a day; a site has none."""
    limits = limits_of(batch.product.kind_code) if batch is not None else []
    return [_judged(result, day, limits) for result in results]


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
    if user.organisation_id in (report.entered_for_id, report.laboratory_id):
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
