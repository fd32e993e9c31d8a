"""Test reports: a laboratory's start page, entering, correcting and reading reports."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.batches.models import Batch
from trace_app.body_limits import takes_uploads
from trace_app.catalogue.models import Site
from trace_app.catalogue.service import site_for
from trace_app.clock import today
from trace_app.db.session import transaction
from trace_app.laboratory import service as laboratory
from trace_app.laboratory.forms import LotSearchForm, TestReportForm, offered_lines, typed_lines
from trace_app.laboratory.models import TestReport, TestSubject, Verdict
from trace_app.laboratory.service import ResultFacts
from trace_app.laboratory.texts import SUBJECTS, limit_text, outcome
from trace_app.laboratory.verdicts import TEST_UNITS
from trace_app.release.service import check_lot
from trace_app.templating import register_words, status_of
from trace_app.uploads import upload

views = Blueprint("laboratory", __name__)
ENTERED_BY = (RoleName.PRODUCER, RoleName.LABORATORY)
register_words(views, test_subject=SUBJECTS)
views.add_app_template_filter(outcome)
views.add_app_template_filter(limit_text)


@views.get("/laboratory")
@allow(RoleName.LABORATORY)
def start() -> ResponseReturnValue:
    """Where a laboratory begins: the lot by its code or number, and what it entered before."""
    form = LotSearchForm(request.args)
    typed = (form.lot.data or "").strip()[:200]
    lots = laboratory.lots_for_laboratory(typed) if typed else []
    if len(lots) == 1:
        return redirect(url_for("laboratory.on_lot", batch_id=lots[0].id))
    return render_template(
        "laboratory/index.html",
        form=form,
        typed=typed,
        lots=lots,
        reports=laboratory.reports_entered_by(the_user()),
    )


@views.route("/batches/<int:batch_id>/tests/new", methods=["GET", "POST"])
@allow(*ENTERED_BY)
@takes_uploads
def on_lot(batch_id: int) -> ResponseReturnValue:
    batch = laboratory.lot_to_test(the_user(), batch_id)
    return _enter(TestSubject.PRODUCT, batch=batch)


@views.route("/sites/<int:site_id>/tests/<any(soil, water):subject>", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@takes_uploads
def on_site(site_id: int, subject: str) -> ResponseReturnValue:
    return _enter(TestSubject(subject), site=site_for(the_user(), site_id))


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
    report = laboratory.own_report(the_user(), report_id)
    return _enter(report.subject, batch=report.batch, site=report.site, replaces=report)


def _enter(
    subject: TestSubject, *, batch: Batch | None = None, site: Site | None = None, replaces: TestReport | None = None
) -> ResponseReturnValue:
    limits = laboratory.limits_of(batch.product.kind_code) if batch is not None else []
    lines = typed_lines(request.form) if request.method == "POST" else offered_lines(limits, replaces)
    laboratory_name = the_user().organisation.name if the_user().role is RoleName.LABORATORY else ""
    form = TestReportForm(
        obj=replaces, typed_lines=lines, data={"laboratory": laboratory_name} if replaces is None else None
    )
    if form.is_submitted():
        # All that is wrong is said at once, in the fields as well as in the results.
        form.validate()
        results = form.lines()
        if replaces is not None and not form.correction_reason.data:
            form.refuse("correction_reason", str(_("请填写更正原因。")))
        if not form.errors:
            with form.refusals(report_number=laboratory.ReportKnown), transaction():
                report = _add(form, subject, results, batch=batch, site=site, replaces=replaces)
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
        site=site,
        subject=SUBJECTS[subject],
        replaces=replaces,
        limits=limits,
        units=TEST_UNITS,
        today=today(),
        for_laboratory=the_user().role is RoleName.LABORATORY,
    )
    return page, status_of(form)


def _add(
    form: TestReportForm,
    subject: TestSubject,
    results: Sequence[ResultFacts],
    *,
    batch: Batch | None,
    site: Site | None,
    replaces: TestReport | None,
) -> TestReport:
    """Everything read anew, inside of the transaction."""
    if replaces is not None:
        replaces = laboratory.own_report(the_user(), replaces.id)
        batch, site = replaces.batch, replaces.site
    elif batch is not None:
        batch = laboratory.lot_to_test(the_user(), batch.id)
    elif site is not None:
        site = site_for(the_user(), site.id)
    report = laboratory.add_report(
        the_user(),
        form.report_facts | {"subject": subject},
        results,
        batch=batch,
        site=site,
        replaces=replaces,
        pdf=upload(form.pdf),
        reason=form.correction_reason.data or "",
    )
    if batch is not None:
        # What a report says of a lot counts from the moment that it is entered.
        check_lot(batch)
    return report
