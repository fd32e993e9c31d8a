"""One recall, hold or drill: where it stands, what to do with it, how far everyone is."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.batches import service as batches
from trace_app.batches.forms import STATES
from trace_app.db.session import transaction
from trace_app.extensions import jobs
from trace_app.forms import Form
from trace_app.recalls import service
from trace_app.recalls.forms import KINDS, LEVELS, NOTICE_TYPES, STATUSES, CorrectForm, NoteForm
from trace_app.recalls.models import Recall, RecallKind, RecallStatus
from trace_app.recalls.published import lots_listed
from trace_app.recalls.scope import preview, scope_of
from trace_app.recalls.service import NoticeText
from trace_app.recalls.tasks import party_name, party_phone, progress_of, tell_everyone
from trace_app.templating import status_of

views = Blueprint("managed_recalls", __name__)
ISSUERS = (RoleName.PRODUCER, *SUPERVISORS)


@views.get("/recalls/<number>/manage")
@allow(*ISSUERS)
def show(number: str) -> Any:
    return _page(number)


@views.post("/recalls/<number>/approve")
@allow(*SUPERVISORS)
def approve(number: str) -> Any:
    form = Form()
    with form.refusals(), transaction():
        recall = service.managed_recall(the_user(), number)
        service.approve(the_user(), recall)
    if form.errors:
        return _page(number, problems=form.form_errors)
    return _done(recall, _("已批准。召回现已生效，公告公开。"))


@views.post("/recalls/<number>/reject")
@allow(*SUPERVISORS)
def reject(number: str) -> Any:
    form = NoteForm()
    if form.validate():
        with form.refusals(), transaction():
            recall = service.managed_recall(the_user(), number)
            service.reject(the_user(), recall, form.note.data)
        if not form.errors:
            return _done(recall, _("未予批准，批次已恢复销售。"))
    return _page(number, reject_form=form)


@views.post("/recalls/<number>/narrow")
@allow(*SUPERVISORS)
def narrow(number: str) -> Any:
    form = NoteForm()
    ticked = request.form.getlist("out", type=int)
    if not ticked:
        form.form_errors = [str(_("请勾选要排除的批次。"))]
    elif form.validate():
        with form.refusals(), transaction():
            recall = service.managed_recall(the_user(), number)
            count = service.narrow(the_user(), recall, dict.fromkeys(ticked, form.note.data[:300]), form.note.data)
        if not form.errors:
            return _done(recall, _("已缩小范围，排除 %(count)d 批。", count=count))
    return _page(number, narrow_form=form)


@views.post("/recalls/<number>/correct")
@allow(*ISSUERS)
def correct(number: str) -> Any:
    form = CorrectForm()
    if form.validate():
        with form.refusals(level=service.NeedsNewRecall), transaction():
            recall = service.managed_recall(the_user(), number)
            facts = {name: form[name].data or "" for name in ("reason", "advice", "reason_en", "advice_en")}
            service.correct(the_user(), recall, NoticeText(level=form.level.data, **facts), form.note.data)
        if not form.errors:
            return _done(recall, _("已发布更正。"))
    return _page(number, correct_form=form)


@views.post("/recalls/<number>/end")
@allow(*ISSUERS)
def end(number: str) -> Any:
    form = NoteForm()
    if form.validate():
        with form.refusals(), transaction():
            recall = service.managed_recall(the_user(), number)
            service.end(the_user(), recall, form.note.data)
        if not form.errors:
            return _done(recall, _("已终止。标签不再显示，公告和全部通知保留。"))
    return _page(number, end_form=form)


@views.post("/batches/<int:batch_id>/drill")
@allow(*ISSUERS)
def begin_drill(batch_id: int) -> Any:
    """The clock starts here."""
    with transaction():
        recall = service.begin_drill(the_user(), batches.batch_for(the_user(), batch_id))
    return redirect(url_for("managed_recalls.show", number=recall.number))


@views.post("/recalls/<number>/scope")
@allow(*ISSUERS)
def scope_drill(number: str) -> Any:
    form = Form()
    with form.refusals(), transaction():
        recall = service.managed_recall(the_user(), number)
        service.scope_drill(the_user(), recall)
    if form.errors:
        return _page(number, problems=form.form_errors)
    return _done(recall, _("演练范围已确定，演练通知已发给有关各方。"))


@views.get("/recalls/<number>/report.pdf")
@allow(*ISSUERS)
def report(number: str) -> Any:
    recall = service.managed_recall(the_user(), number)
    headers = {"Content-Disposition": f'attachment; filename="{recall.number}-report.pdf"'}
    from trace_app.recalls import papers

    return Response(papers.report_pdf(recall, progress_of(recall)), mimetype="application/pdf", headers=headers)


def _done(recall: Recall, message: Any) -> Any:
    jobs.enqueue(tell_everyone, recall.id)
    flash(message)
    return redirect(url_for("managed_recalls.show", number=recall.number))


def _page(number: str, *, problems: list[Any] | None = None, **forms: Any) -> Any:
    recall = service.managed_recall(the_user(), number)
    pending_drill = recall.kind is RecallKind.DRILL and recall.status is RecallStatus.PENDING
    current = (
        {name: getattr(recall, name) for name in ("reason", "advice", "reason_en", "advice_en")}
        if recall.notices
        else {}
    )
    offered = {
        "reject_form": NoteForm(formdata=None), "narrow_form": NoteForm(formdata=None), "end_form": NoteForm(formdata=None),
        "correct_form": CorrectForm(formdata=None, data={"level": str(recall.level), **current}),
    }  # fmt: skip
    page = render_template(
        "recalls/manage.html", recall=recall, kinds=KINDS, levels=LEVELS, statuses=STATUSES, notice_types=NOTICE_TYPES,
        progress=progress_of(recall), lots=lots_listed([recall])[recall.id], states=STATES, problems=problems or [],
        party_name=party_name, party_phone=party_phone, supervises=the_user().role in SUPERVISORS,
        may_approve=recall.issued_by_id != the_user().id, ticked=set(request.form.getlist("out", type=int)),
        found=preview(the_user(), scope_of(recall)) if pending_drill else None,
        **{name: form.apart(name.removesuffix("_form")) for name, form in (offered | forms).items()},
    )  # fmt: skip
    return page, 422 if problems else max(map(status_of, forms.values()), default=200)
