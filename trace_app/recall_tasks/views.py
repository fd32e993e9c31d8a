"""What a producer or buyer does in a recall: confirm, and report what became of the goods. By link, without a login."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import acting_user, allow, public, the_user
from trace_app.accounts.models import RoleName
from trace_app.amounts_by_row import read_amounts
from trace_app.arrivals.service import PhotoNameTaken, waiting_for
from trace_app.body_limits import takes_uploads
from trace_app.db.session import transaction
from trace_app.extensions import limiter
from trace_app.media.service import MAX_PHOTOS, TooManyPhotos, stored_photos
from trace_app.recall_tasks import calls, filings
from trace_app.recall_tasks import service as tasks
from trace_app.recall_tasks.forms import AcknowledgeForm, FilingForm, RecallReportForm
from trace_app.sent_once import makes_once
from trace_app.templating import register_words, status_of

views = Blueprint("recall_tasks", __name__)
views.add_app_template_filter(tasks.party_name)
register_words(views, filing_kind=filings.FILINGS)


@views.app_context_processor
def _calls() -> dict[str, object]:
    """What a user has to confirm, for the bar on top of its pages; one query."""
    user = acting_user()
    if user is None or user.role not in (RoleName.PRODUCER, RoleName.BUYER):
        return {}
    return {"calls": calls.calls_for(user)}


@views.get("/recall-tasks")
@allow(RoleName.PRODUCER, RoleName.BUYER)
def index() -> ResponseReturnValue:
    page = "recall_tasks/index.html"
    return render_template(page, tasks=tasks.open_tasks(the_user()), waiting=calls.waiting_for(the_user()))


@views.get("/recall-tasks/<token>")
@public
def show(token: str) -> ResponseReturnValue:
    return _page(token)


@views.post("/recall-tasks/<token>/acknowledge")
@public
@limiter.limit("30/minute")
def acknowledge(token: str) -> ResponseReturnValue:
    form = AcknowledgeForm()
    if form.validate():
        with transaction():
            tasks.acknowledge(tasks.task_by_token(token), form.name.data)
        flash(_("已确认。请停止销售、封存存货，然后在下面报告数量。"))
        return redirect(url_for("recall_tasks.show", token=token))
    return _page(token, acknowledge_form=form)


@views.post("/recall-tasks/<token>/report")
@public
@limiter.limit("30/minute")
@takes_uploads
@makes_once
def report(token: str) -> ResponseReturnValue:
    form = RecallReportForm()
    amounts, faults = _amounts(token)
    if form.validate() and not faults:
        with (
            form.refusals(photos=(TooManyPhotos, PhotoNameTaken, tasks.NoEvidence)),
            stored_photos(form.photos.cleaned) as photos,
            transaction(),
        ):
            tasks.report(
                tasks.task_by_token(token),
                amounts,
                name=form.name.data,
                note=form.note.data or "",
                photos=photos,
                to_come=form.photos.to_come,
                pdf=form.pdf.opened,
            )
        if not form.errors:
            flash(_("已收到您的报告，谢谢。数量有变化时请再报一次，以最后一次为准。"))
            return redirect(url_for("recall_tasks.show", token=token))
    return _page(token, report_form=form, faults=faults)


@views.post("/recall-tasks/<token>/filings")
@public
@limiter.limit("30/minute")
@takes_uploads
@makes_once
def file(token: str) -> ResponseReturnValue:
    """Hand in a plan or a closing report."""
    form = FilingForm()
    if form.validate():
        with form.refusals(text=filings.NothingFiled), transaction():
            task = tasks.task_by_token(token)
            filings.file_by_party(task, form.kind.data, form.text.data or "", form.name.data, form.pdf.opened)
        if not form.errors:
            flash(_("已交给发布召回的部门。"))
            return redirect(url_for("recall_tasks.show", token=token))
    return _page(token, filing_form=form)


def _amounts(token: str) -> tuple[dict[int, dict[str, Decimal]], dict[str, str]]:
    """What was typed of each lot, and what is wrong with it, by field."""
    units = {one.batch.id: one.batch.unit for one in tasks.counted_lots(tasks.task_by_token(token))}
    found: dict[int, dict[str, Decimal]] = {}
    faults: dict[str, str] = {}
    for quantity in tasks.QUANTITIES:
        for lot, number in read_amounts(request.form, f"{quantity}-", units, faults).items():
            found.setdefault(lot, {})[quantity] = number
    return found, faults


def _page(
    token: str,
    *,
    acknowledge_form: AcknowledgeForm | None = None,
    report_form: RecallReportForm | None = None,
    filing_form: FilingForm | None = None,
    faults: dict[str, str] | None = None,
) -> ResponseReturnValue:
    task = tasks.task_by_token(token)
    user = acting_user()
    known = {"name": user.full_name} if user is not None else {"name": task.acknowledged_by}
    page = render_template(
        "recall_tasks/show.html",
        task=task,
        recall=task.recall,
        to_come=waiting_for("report_id", [row.id for row in task.reports]),
        lots=tasks.counted_lots(task),
        party=tasks.party_name(task),
        quantities=tasks.QUANTITIES,
        typed=request.form,
        acknowledge_form=(acknowledge_form or AcknowledgeForm(formdata=None, data=known)).apart("acknowledge"),
        report_form=report_form or RecallReportForm(formdata=None, data=known),
        filings=[row for row in filings.filings_of(task.recall) if row.task_id in (None, task.id)],
        filing_form=(filing_form or FilingForm(formdata=None, data=known)).apart("file"),
        faults=faults or {},
        most_photos=MAX_PHOTOS,
    )
    forms = [form for form in (acknowledge_form, report_form, filing_form) if form is not None]
    return page, 422 if faults else max(map(status_of, forms), default=200)
