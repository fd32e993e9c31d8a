"""Test reports: a laboratory's start page, entering, correcting and reading reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.batches.models import Batch
from trace_app.batches.service import own_batch
from trace_app.body_limits import takes_uploads
from trace_app.catalogue.models import Site
from trace_app.catalogue.service import site_for
from trace_app.clock import today
from trace_app.db.session import transaction
from trace_app.folding import without_spaces
from trace_app.laboratory import service as laboratory
from trace_app.laboratory.forms import LotSearchForm, TestOrderForm, TestReportForm, offered_lines, typed_lines
from trace_app.laboratory.models import TestOrder, TestReport, TestResult, TestSubject, Verdict
from trace_app.laboratory.service import ResultFacts
from trace_app.laboratory.texts import (
    KINDS,
    SUBJECTS,
    in_one_line,
    laboratory_name,
    limit_beside,
    limit_text,
    outcome,
    why_undecided,
)
from trace_app.laboratory.verdicts import TEST_UNITS
from trace_app.media.service import keep_document, own_document
from trace_app.release.service import check_lot
from trace_app.sent_once import makes_once
from trace_app.templating import register_words, status_of

views = Blueprint("laboratory", __name__)
ENTERED_BY = (RoleName.PRODUCER, RoleName.LABORATORY)
register_words(views, test_subject=SUBJECTS, test_kind=KINDS)
views.add_app_template_filter(laboratory_name)
views.add_app_template_filter(outcome)
views.add_app_template_filter(limit_text)
views.add_app_template_filter(why_undecided)


@dataclass(frozen=True)
class Tested:
    """What a report is on, and what is known of it before it is typed."""

    batch: Batch | None = None
    site: Site | None = None
    replaces: TestReport | None = None
    order: TestOrder | None = None


@views.get("/laboratory")
@allow(RoleName.LABORATORY)
def start() -> ResponseReturnValue:
    """Where a laboratory begins: a sample by its code or number, what it was asked for, and what it entered before."""
    form = LotSearchForm(request.args)
    typed = (form.lot.data or "").strip()[:200]
    orders = laboratory.open_orders(the_user())
    if typed:
        fitting = [order for order in orders if without_spaces(order.sample_number) == without_spaces(typed)]
        if len(fitting) == 1:
            return redirect(url_for("laboratory.on_order", order_id=fitting[0].id))
        code = laboratory.code_of_sample(typed)
        if code is not None:
            return redirect(url_for("laboratory.on_code", code=code))
    return render_template(
        "laboratory/index.html",
        form=form,
        typed=typed,
        orders=orders,
        claims=laboratory.claims_on(the_user()),
        reports=laboratory.reports_entered_by(the_user()),
    )


@views.route("/laboratory/samples/<code>", methods=["GET", "POST"])
@allow(RoleName.LABORATORY)
@takes_uploads
@makes_once
def on_code(code: str) -> ResponseReturnValue:
    """A report on the lot that the laboratory has a label of."""
    return _enter(TestSubject.PRODUCT, lambda: Tested(laboratory.lot_of_sample(code)))


@views.route("/laboratory/orders/<int:order_id>", methods=["GET", "POST"])
@allow(RoleName.LABORATORY)
@takes_uploads
@makes_once
def on_order(order_id: int) -> ResponseReturnValue:
    """A report on the lot that a producer ordered a test of."""

    def tested() -> Tested:
        order = laboratory.order_for(the_user(), order_id)
        return Tested(order.batch, order=order)

    return _enter(TestSubject.PRODUCT, tested)


@views.post("/laboratory/claims/<int:report_id>/<any(confirm, deny):answer>")
@allow(RoleName.LABORATORY)
def answer_claim(report_id: int, answer: str) -> ResponseReturnValue:
    """The laboratory's word on a report that a producer entered under its name."""
    with transaction():
        report = laboratory.answer_claim(the_user(), report_id, confirmed=answer == "confirm")
        if report.batch is not None:
            check_lot(report.batch)
    flash(_("已确认是本机构的报告。") if answer == "confirm" else _("已否认。这份报告不再作为检测依据。"))
    return redirect(url_for("laboratory.start"))


@views.route("/batches/<int:batch_id>/tests/new", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@takes_uploads
@makes_once
def on_lot(batch_id: int) -> ResponseReturnValue:
    return _enter(TestSubject.PRODUCT, lambda: Tested(own_batch(the_user(), batch_id)))


@views.route("/batches/<int:batch_id>/test-orders", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@makes_once
def order(batch_id: int) -> ResponseReturnValue:
    """Order a test of a lot from a laboratory."""
    known = laboratory.laboratories()
    form = TestOrderForm(laboratories=known)
    if form.validate_on_submit():
        with form.refusals(sample_number=laboratory.NumberTaken), transaction():
            chosen = next(row for row in laboratory.laboratories() if row.id == form.laboratory_id.data)
            laboratory.order_test(the_user(), own_batch(the_user(), batch_id), chosen, form.order_facts)
        if not form.errors:
            flash(_("已委托。请把样品编号写在样品上，检测机构凭它录入报告。"))
            return redirect(url_for("laboratory.order", batch_id=batch_id))
    batch = own_batch(the_user(), batch_id)
    page = render_template(
        "laboratory/orders.html", form=form, batch=batch, orders=laboratory.orders_of(batch), laboratories=known
    )
    return page, status_of(form)


@views.route("/sites/<int:site_id>/tests/<any(soil, water):subject>", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@takes_uploads
@makes_once
def on_site(site_id: int, subject: str) -> ResponseReturnValue:
    return _enter(TestSubject(subject), lambda: Tested(site=site_for(the_user(), site_id)))


@views.get("/sites/<int:site_id>/tests")
@allow(RoleName.PRODUCER)
def of_site(site_id: int) -> ResponseReturnValue:
    """What a site's soil and water was tested for."""
    site = site_for(the_user(), site_id)
    return render_template("laboratory/site_reports.html", site=site, reports=laboratory.reports_on(site))


@views.get("/laboratory/reports/<int:report_id>")
@allow(*ENTERED_BY, *SUPERVISORS)
def show(report_id: int) -> ResponseReturnValue:
    report = laboratory.report_for(the_user(), report_id)
    return render_template(
        "laboratory/report.html",
        report=report,
        may_correct=report.entered_for_id == the_user().organisation_id and report.replaced_by is None,
        may_see_lot=the_user().role is not RoleName.LABORATORY,
    )


@views.route("/laboratory/reports/<int:report_id>/correct", methods=["GET", "POST"])
@allow(*ENTERED_BY)
@takes_uploads
def correct(report_id: int) -> ResponseReturnValue:
    def tested() -> Tested:
        report = laboratory.own_report(the_user(), report_id)
        return Tested(report.batch, report.site, replaces=report)

    return _enter(laboratory.own_report(the_user(), report_id).subject, tested)


def _enter(subject: TestSubject, tested: Callable[[], Tested]) -> ResponseReturnValue:
    """Type a report; what did not pass is looked at once more before it goes out.

    :param tested: reads what it is on, and whether the user may; once more inside of the transaction.
    """
    found = tested()
    batch, replaces = found.batch, found.replaces
    limits = laboratory.limits_of(batch.product.kind_code) if batch is not None else []
    lines = typed_lines(request.form) if request.method == "POST" else offered_lines(limits, replaces)
    form = TestReportForm(
        obj=replaces,
        typed_lines=lines,
        by_laboratory=the_user().role is RoleName.LABORATORY,
        data={"sample_number": found.order.sample_number, "kind": found.order.kind} if found.order else None,
    )
    # Looked at once more are results that fail, and those that can't be held against their limit.
    failed: list[TestResult] = []
    if form.is_submitted():
        # All that is wrong is said at once, in the fields as well as in the results.
        form.validate()
        results = form.lines()
        if replaces is not None and not form.correction_reason.data:
            form.refuse("correction_reason", str(_("请填写更正原因。")))
        if not form.errors:
            judged = laboratory.judged(results, form.sampled_on.data, batch)
            failed = [row for row in judged if row.verdict is Verdict.FAIL or row.undecided]
            if failed and form.confirmed.data != in_one_line(failed):
                _ask_once_more(form, failed)
            else:
                failed = []
        if not form.errors:
            with form.refusals(report_number=laboratory.ReportKnown), transaction():
                report = _add(form, subject, results, tested())
            if not form.errors:
                flash(
                    _("报告已录入：有检测项目不合格，已通知主管部门。")
                    if report.verdict is Verdict.FAIL
                    else _("报告已录入。")
                )
                return redirect(url_for("laboratory.show", report_id=report.id))
    page = render_template(
        "laboratory/report_form.html",
        form=form,
        batch=batch,
        site=found.site,
        subject=SUBJECTS[subject],
        replaces=replaces,
        order=found.order,
        limits=limits,
        limits_beside=[limit_beside(limits, line["analyte"], form.sampled_on.data) for line in form.typed_lines],
        failed=failed,
        failed_in_one_line=in_one_line(failed),
        units=TEST_UNITS,
        today=today(),
        laboratory=the_user().organisation if the_user().role is RoleName.LABORATORY else None,
    )
    return page, status_of(form)


def _ask_once_more(form: TestReportForm, failed: Sequence[TestResult]) -> None:
    """Have what did not pass looked at once more; the PDF that came with it is kept meanwhile."""
    if form.pdf.opened is not None:
        with form.refusals(), transaction():
            form.kept.data = keep_document(the_user(), *form.pdf.opened, "pdf").name
    if not form.errors:
        question = _(
            "还没有保存：有 %(count)d 项不合格或不能判定。请对照报告原件核对下面的数值和单位。", count=len(failed)
        )
        form.form_errors = [*form.form_errors, str(question)]


def _add(form: TestReportForm, subject: TestSubject, results: Sequence[ResultFacts], tested: Tested) -> TestReport:
    """Keep a report, and hold its lot against it at once."""
    report = laboratory.add_report(
        the_user(),
        form.report_facts | {"subject": subject},
        results,
        batch=tested.batch,
        site=tested.site,
        replaces=tested.replaces,
        pdf=form.pdf.opened,
        document=own_document(the_user(), form.kept.data or ""),
        reason=form.correction_reason.data or "",
    )
    if tested.batch is not None:
        # What a report says of a lot counts from the moment that it is entered.
        check_lot(tested.batch)
    return report
