"""Recalling, or holding, one lot or all that a scope reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from werkzeug.datastructures import MultiDict

from trace_app.accounts.access import SUPERVISORS, NotFound, allow, the_user
from trace_app.accounts.factors.freshness import fresh_factor
from trace_app.accounts.forms import jurisdiction_choices
from trace_app.accounts.models import RoleName, User
from trace_app.arrivals.service import waiting_for
from trace_app.attachments import attachment
from trace_app.batches import service as batches
from trace_app.batches.models import Batch
from trace_app.body_limits import takes_uploads
from trace_app.db.session import transaction
from trace_app.extensions import jobs
from trace_app.flow.genealogy.service import steps_from
from trace_app.forms import Form
from trace_app.labels.service import labels_made
from trace_app.recall_tasks import filings, turnings
from trace_app.recall_tasks import papers as recall_tasks
from trace_app.recall_tasks.calls import Concerned, concerned_by
from trace_app.recall_tasks.forms import ConclusionForm
from trace_app.recall_tasks.models import RecallFiling
from trace_app.recall_tasks.progress import RecallProgress, progress_of
from trace_app.recall_tasks.service import tell_everyone
from trace_app.recalls import cases, further_notices, service
from trace_app.recalls.automatic import Whereabouts, let_go, whereabouts
from trace_app.recalls.forms import (
    KINDS,
    LEVELS,
    NOTICE_TYPES,
    STATUSES,
    TURNINGS,
    CorrectForm,
    DecideForm,
    EndForm,
    ExtendForm,
    HoldForm,
    NoteForm,
    NoticeForm,
    RecallScopeForm,
    ScopeHoldForm,
    ScopeNoticeForm,
)
from trace_app.recalls.leads import Lead, leads_of, leads_of_lots
from trace_app.recalls.models import Recall, RecallKind, RecallProposal, RecallStatus, Turning
from trace_app.recalls.published import lots_listed, public_recall
from trace_app.recalls.scope import (
    MOST_LISTED,
    EmptyScope,
    Preview,
    RecallScope,
    ScopeTooWide,
    UnknownLots,
    map_of_sites,
    must_know_lots,
    preview,
    scope_of,
)
from trace_app.recalls.statements import producers_of
from trace_app.records.coverage import ingredients_beside
from trace_app.security_headers import keep_for_going_back
from trace_app.templating import register_words, status_of
from trace_app.whole_numbers import row_number

views = Blueprint("recalls", __name__)


ISSUERS = (RoleName.PRODUCER, *SUPERVISORS)


@views.route("/batches/<int:batch_id>/recall", methods=["GET", "POST"])
@allow(*ISSUERS)
@fresh_factor
def issue(batch_id: int) -> ResponseReturnValue:
    batch = batches.batch_for(the_user(), batch_id)
    hold = _is_hold()
    form = HoldForm() if hold else NoticeForm()
    if form.validate_on_submit():
        with form.refusals(), transaction():
            recall = service.issue_recall(
                the_user(), batches.batch_for(the_user(), batch_id), form.notice_text, _KIND[hold]
            )
        if not form.errors:
            return _issued(recall)
        batch = batches.batch_for(the_user(), batch_id)
    page = render_template(
        "recalls/issue.html",
        form=form,
        hold=hold,
        batch=batch,
        labels=labels_made(batch),
        authority=the_user().organisation,
        following=len({step.target_id for step in steps_from(batch_id, "forward")}),
        voluntary=the_user().role is RoleName.PRODUCER,
        stated=producers_of([batch]),
        leads=leads_of_lots([batch]),
    )
    return page, status_of(form)


_KIND = {False: RecallKind.RECALL, True: RecallKind.HOLD}


def _is_hold() -> bool:
    """Whether the form that was asked for, or came in, is that of a hold."""
    return bool(request.values.get("kind") == RecallKind.HOLD.value)


def _issued(recall: Recall) -> ResponseReturnValue:
    jobs.enqueue(tell_everyone, recall.id)
    if recall.status is RecallStatus.PENDING:
        flash(
            _("一级召回已提交，等待第二位监管人员批准。在此之前，%(count)d 批已全部暂停销售。", count=recall.lot_count)
        )
    elif recall.kind is RecallKind.HOLD:
        flash(_("已暂停销售，共 %(count)d 批。每一张标签现在都会显示暂停。", count=recall.lot_count))
    else:
        flash(_("召回已发布，共 %(count)d 批。每一张标签现在都会显示召回通知。", count=recall.lot_count))
    return redirect(url_for("recalls.show", number=recall.number))


@views.get("/recalls/scope")
@allow(*ISSUERS)
def scope() -> ResponseReturnValue:
    """Define what a recall reaches, see it, then issue."""
    scope_form = _scope_form(request.args)
    extended = _extended(request.args)
    form: Form = ExtendForm(formdata=None)
    if not extended:
        form = ScopeHoldForm(formdata=None) if _is_hold() else ScopeNoticeForm(None, data=_of_hold(request.args))
    asked = bool(request.args.keys() - {"extends", "hold", "kind", "lang"})
    return _scope_page(scope_form, form, extended, asked=asked)


@views.post("/recalls/scope")
@allow(*ISSUERS)
@takes_uploads  # Not files: a hundred lots with a reason each.
@fresh_factor
def issue_scope() -> ResponseReturnValue:
    scope_form, extended = _scope_form(request.form), _extended(request.form)
    hold = _is_hold()
    form: ScopeNoticeForm | ScopeHoldForm | ExtendForm = (
        ExtendForm() if extended else ScopeHoldForm() if hold else ScopeNoticeForm()
    )
    left_out, faults = _left_out()
    if scope_form.validate() & form.validate() and not faults:
        with form.refusals(), transaction():
            meant = scope_form.recall_scope
            found = preview(the_user(), meant)
            reached = _takes_in(found) - len(left_out)
            if form.count.data != reached:
                form.refuse("count", str(_("范围内现在有 %(count)d 批，请核对后再填。", count=reached)))
            elif not isinstance(form, ExtendForm):
                recall = service.issue_by_scope(the_user(), meant, left_out, form.notice_text, _KIND[hold])
            else:
                recall = service.managed_recall(the_user(), request.form["extends"])
                further_notices.must_stand(recall, _made_from())
                added = turnings.extend(the_user(), recall, meant, left_out, form.note.data)
        if not form.errors and not isinstance(form, ExtendForm):
            return _issued(recall)
        if not form.errors:
            if isinstance(added, RecallProposal):
                if added.hold_id is not None:
                    jobs.enqueue(tell_everyone, added.hold_id)
                return _proposed(recall)
            return _done(recall, _("已扩大范围，增加 %(count)d 批。", count=added))
    return _scope_page(scope_form, form, _extended(request.form), asked=True, faults=faults)


def _extended(values: MultiDict[str, str]) -> Recall | None:
    """The recall that is to be extended, if one is."""
    number = values.get("extends", "")
    return service.managed_recall(the_user(), number) if number else None


def _of_hold(values: MultiDict[str, str]) -> dict[str, str]:
    """What the notice of a hold that is to become a recall says, to be completed."""
    number = values.get("hold", "")
    if not number:
        return {}
    hold = service.managed_recall(the_user(), number)
    return {"reason": hold.reason, "reason_en": hold.reason_en}


def _made_from() -> int | None:
    """How far a case had come when the form that came in was made."""
    return request.form.get("made_from", type=row_number)


def _takes_in(found: Preview) -> int:
    """How many lots a notice of this user takes in: a producer's only its own."""
    return found.own_count if the_user().role is RoleName.PRODUCER else found.count


def _scope_form(values: MultiDict[str, str]) -> RecallScopeForm:
    places = jurisdiction_choices(the_user().organisation)
    return RecallScopeForm(values, places=places)


def _left_out() -> tuple[dict[int, str], set[int]]:
    """Lots that were ticked to be left out with their reasons, and those without one."""
    ticked = request.form.getlist("out", type=row_number)
    reasons = {lot_id: " ".join(request.form.get(f"why-{lot_id}", "").split())[:300] for lot_id in ticked}
    return {lot_id: why for lot_id, why in reasons.items() if why}, {
        lot_id for lot_id, why in reasons.items() if not why
    }


def _beside(scope: RecallScope) -> list[str]:
    """Ingredients that are not in a scope and have much of its ingredient's name, so that nobody overlooks them."""
    return ingredients_beside(scope.ingredient) if scope.ingredient and not scope.ingredient_within else []


def _scope_page(
    scope_form: RecallScopeForm, form: Form, extended: Recall | None, *, asked: bool, faults: set[int] | None = None
) -> ResponseReturnValue:
    found: Preview | None = None
    problem = unknown = ""
    beside: list[str] = []
    if asked and scope_form.validate():
        beside = _beside(scope_form.recall_scope)
        try:
            must_know_lots(the_user(), scope_form.recall_scope)
        except UnknownLots as trouble:
            unknown = trouble.message
        try:
            found = preview(the_user(), scope_form.recall_scope)
        except (EmptyScope, ScopeTooWide) as trouble:
            problem = trouble.message
    voluntary = the_user().role is RoleName.PRODUCER
    keep_for_going_back()
    page = render_template(
        "recalls/scope.html",
        scope_form=scope_form,
        form=form,
        found=found,
        problem=problem,
        unknown=unknown,
        faults=faults or set(),
        most=MOST_LISTED,
        ticked=set(request.form.getlist("out", type=row_number)),
        whys=request.form,
        extended=extended,
        stand=further_notices.stand_of(extended) if extended else None,
        hold=_is_hold(),
        carried=found.scope.plain() if found else {},
        voluntary=voluntary,
        site_map=map_of_sites(the_user()),
        taken=_takes_in(found) if found else 0,
        own=the_user().organisation_id if voluntary else None,
        beside=beside,
        stated=producers_of([lot.batch for lot in found.lots]) if found else [],
    )
    return page, 422 if problem or form.errors or scope_form.errors or faults else 200


views.add_app_template_filter(turnings.open_text)
register_words(
    views, turning=TURNINGS, recall_level=LEVELS, recall_kind=KINDS, recall_status=STATUSES, notice_type=NOTICE_TYPES
)


@dataclass(frozen=True)
class Case:
    """The page of one recall, hold or drill, as one of its officers sees it."""

    recall: Recall
    progress: RecallProgress
    to_come: Mapping[int, int]
    """How many photos of a report are still in a phone, by the report's id."""
    lots: Sequence[Batch]
    leads: Sequence[Lead]
    problems: Sequence[str]
    supervises: bool
    may_approve: bool
    """A first-level recall takes effect by the approval of another officer than the one who issued it."""
    whereabouts: Whereabouts | None
    """The lot that the platform itself held, for its authority to decide on."""
    ticked: set[int]
    """The lots that were ticked to be taken out of the recall, where that was refused."""
    as_recall: dict[str, str]
    """The scope that a hold's recall would have."""
    found: Preview | None
    """What a drill that waits for its scope would reach."""
    reject_form: NoteForm
    narrow_form: NoteForm
    correct_form: CorrectForm
    end_form: NoteForm
    causes: list[tuple[str, str]]
    """What the cause of a recall that waits for approval is known by: labels and values."""
    added: Sequence[Batch]
    """The lots that an extension which waits would take in."""
    concerned: list[Concerned]
    """Whom a recall that waits for approval will reach."""
    stand: int
    """How far it has come, for forms to say what they were made from."""
    officers: list[User]
    """Who may have the second word on what waits."""
    proposal: RecallProposal | None
    """The turning that waits for the second officer."""
    filings: Sequence[RecallFiling]
    conclusion_form: ConclusionForm
    may_decide: bool
    may_take_back: bool
    decide_form: DecideForm


@views.get("/recalls/<number>/manage")
@allow(*ISSUERS)
def show(number: str) -> ResponseReturnValue:
    """The case for who decides on it. An officer of elsewhere, whose lots may be in it, reads the notice."""
    try:
        return _page(number)
    except NotFound:
        if the_user().role not in SUPERVISORS:
            raise
        return redirect(url_for("public.recall", number=public_recall(number).number))


@views.post("/recalls/<number>/approve")
@allow(*SUPERVISORS)
@fresh_factor
def approve(number: str) -> ResponseReturnValue:
    form = Form()
    with form.refusals(), transaction():
        recall = service.managed_recall(the_user(), number)
        service.approve(the_user(), recall)
    if form.errors:
        return _page(number, problems=form.form_errors)
    return _done(recall, _("已批准。召回现已生效，公告公开。"))


@views.post("/recalls/<number>/reject")
@allow(*SUPERVISORS)
def reject(number: str) -> ResponseReturnValue:
    form = NoteForm()
    if form.validate():
        with form.refusals(), transaction():
            recall = service.managed_recall(the_user(), number)
            service.reject(the_user(), recall, form.note.data)
        if not form.errors:
            return _done(recall, _("未予批准。没有另外被召回或暂停的批次已恢复销售。"))
    return _page(number, reject_form=form)


@views.post("/recalls/<number>/narrow")
@allow(*SUPERVISORS)
@fresh_factor
def narrow(number: str) -> ResponseReturnValue:
    form = NoteForm()
    ticked = request.form.getlist("out", type=row_number)
    if not ticked:
        form.form_errors = [str(_("请勾选要排除的批次。"))]
    elif form.validate():
        with form.refusals(), transaction():
            recall = service.managed_recall(the_user(), number)
            further_notices.must_stand(recall, _made_from())
            count = turnings.narrow(the_user(), recall, dict.fromkeys(ticked, form.note.data[:300]), form.note.data)
        if not form.errors:
            if isinstance(count, RecallProposal):
                return _proposed(recall)
            return _done(recall, _("已缩小范围，排除 %(count)d 批。", count=count))
    return _page(number, narrow_form=form)


@views.post("/recalls/<number>/correct")
@allow(*ISSUERS)
@fresh_factor
def correct(number: str) -> ResponseReturnValue:
    form = CorrectForm(stated=cases.text_of(service.managed_recall(the_user(), number)))
    if form.validate():
        with form.refusals(), transaction():
            recall = service.managed_recall(the_user(), number)
            further_notices.must_stand(recall, _made_from())
            waits = turnings.correct(the_user(), recall, form.notice_text, form.note.data)
        if not form.errors:
            if waits:
                return _proposed(recall)
            return _done(recall, _("已发布更正。"))
    return _page(number, correct_form=form)


@views.route("/recalls/<number>/complete", methods=["GET", "POST"], defaults={"how": "complete"})
@views.route("/recalls/<number>/withdraw", methods=["GET", "POST"], defaults={"how": "withdraw"})
@allow(*SUPERVISORS)
@fresh_factor
def end(number: str, how: str) -> ResponseReturnValue:
    """The two ends of a recall: carried out, or wrong."""
    recall = service.managed_recall(the_user(), number)
    form = EndForm()
    if form.validate_on_submit():
        with form.refusals(why_open=turnings.StillOpen), transaction():
            recall = service.managed_recall(the_user(), number)
            further_notices.must_stand(recall, _made_from())
            waits = turnings.end(the_user(), recall, Turning(how), form.note.data, form.why_open.data or "")
        if not form.errors:
            if waits:
                return _proposed(recall)
            return _done(
                recall,
                _("召回已完成。批次不再上市，标签继续显示已召回。")
                if how == "complete"
                else _("召回已撤销。没有另外被召回或暂停的批次已恢复销售。"),
            )
        recall = service.managed_recall(the_user(), number)
    page = render_template(
        "recalls/end.html",
        recall=recall,
        how=how,
        form=form,
        found=turnings.still_open(recall),
        stand=further_notices.stand_of(recall),
    )
    return page, status_of(form)


@views.post("/recalls/<number>/proposals/<int:proposal_id>/approve", defaults={"word": "approve"})
@views.post("/recalls/<number>/proposals/<int:proposal_id>/refuse", defaults={"word": "refuse"})
@allow(*SUPERVISORS)
@fresh_factor
def decide(number: str, proposal_id: int, word: str) -> ResponseReturnValue:
    """The second officer's word on a turning."""
    form = DecideForm()
    if form.validate():
        with form.refusals(note=turnings.NeedsReason), transaction():
            recall = service.managed_recall(the_user(), number)
            (turnings.approve if word == "approve" else turnings.refuse)(
                the_user(), recall, proposal_id, form.note.data or ""
            )
        if not form.errors:
            for proposal in recall.proposals:
                if proposal.id == proposal_id and proposal.hold_id is not None:
                    jobs.enqueue(tell_everyone, proposal.hold_id)
            return _done(recall, _("已批准，变更生效。") if word == "approve" else _("未予批准，召回照旧。"))
    return _page(number, decide_form=form)


@views.post("/recalls/<number>/proposals/<int:proposal_id>/take-back")
@allow(*SUPERVISORS)
def take_back(number: str, proposal_id: int) -> ResponseReturnValue:
    """Who proposed a turning thinks better of it."""
    form = Form()
    with form.refusals(), transaction():
        recall = service.managed_recall(the_user(), number)
        turnings.take_back(the_user(), recall, proposal_id)
    if form.errors:
        return _page(number, problems=form.form_errors)
    return _done(recall, _("已撤回这项变更，召回照旧。"))


@views.post("/recalls/<number>/end")
@allow(*ISSUERS)
@fresh_factor
def close(number: str) -> ResponseReturnValue:
    """A hold is lifted, a drill ends."""
    form = NoteForm()
    if form.validate():
        with form.refusals(), transaction():
            recall = service.managed_recall(the_user(), number)
            drill = recall.kind is RecallKind.DRILL
            (further_notices.end_drill if drill else let_go)(the_user(), recall, form.note.data)
        if not form.errors:
            return _done(
                recall,
                _("演练已结束，全部通知保留。")
                if drill
                else _("已解除。没有另外被召回或暂停的批次已恢复销售，全部通知保留。"),
            )
    return _page(number, problems=form.form_errors, end_form=form)


@views.post("/batches/<int:batch_id>/drill")
@allow(*ISSUERS)
def begin_drill(batch_id: int) -> ResponseReturnValue:
    """The clock starts here."""
    with transaction():
        recall = service.begin_drill(the_user(), batches.batch_for(the_user(), batch_id))
    return redirect(url_for("recalls.show", number=recall.number))


@views.post("/recalls/<number>/scope")
@allow(*ISSUERS)
def scope_drill(number: str) -> ResponseReturnValue:
    form = Form()
    with form.refusals(), transaction():
        recall = service.managed_recall(the_user(), number)
        service.scope_drill(the_user(), recall)
    if form.errors:
        return _page(number, problems=form.form_errors)
    return _done(recall, _("演练范围已确定，演练通知已发给有关各方。"))


@views.post("/recalls/<number>/conclusion")
@allow(*SUPERVISORS)
@takes_uploads
def conclude(number: str) -> ResponseReturnValue:
    """What the authority makes of the plans and reports that were handed in."""
    form = ConclusionForm()
    if form.validate():
        with form.refusals(text=filings.NothingFiled), transaction():
            recall = service.managed_recall(the_user(), number)
            filings.conclude(the_user(), recall, form.text.data or "", form.pdf.opened)
        if not form.errors:
            flash(_("结论已保存。"))
            return redirect(url_for("recalls.show", number=number))
    return _page(number, conclusion_form=form)


@views.get("/recalls/<number>/report.pdf")
@allow(*ISSUERS)
def report(number: str) -> ResponseReturnValue:
    recall = service.managed_recall(the_user(), number)
    return attachment(
        recall_tasks.report_pdf(recall, progress_of(recall)), f"{recall.number}-report.pdf", "application/pdf"
    )


def _proposed(recall: Recall) -> ResponseReturnValue:
    flash(_("已提交，等待第二位监管人员批准；批准后才生效。"))
    return redirect(url_for("recalls.show", number=recall.number))


def _done(recall: Recall, message: str) -> ResponseReturnValue:
    jobs.enqueue(tell_everyone, recall.id)
    flash(message)
    return redirect(url_for("recalls.show", number=recall.number))


def _causes(recall: Recall) -> list[tuple[str, str]]:
    """What a recall's cause is known by, in the words of the form."""
    form = _scope_form(MultiDict(recall.scope))
    found = []
    for name, value in recall.scope.items():
        choices = dict(getattr(form[name], "choices", None) or [])
        found.append((str(form[name].label.text), str(choices.get(value, value))))
    return found


def _second_officers(recall: Recall, proposal: RecallProposal | None) -> list[User]:
    """Who may have the second word on what waits, where something does."""
    first = proposal.proposed_by if proposal is not None else None
    if recall.kind is RecallKind.RECALL and recall.status is RecallStatus.PENDING:
        first = recall.issued_by
    return cases.second_officers(first, recall.authority) if first is not None else []


def _page(number: str, *, problems: list[str] | None = None, **forms: Form) -> ResponseReturnValue:
    recall = service.managed_recall(the_user(), number)
    pending = recall.status is RecallStatus.PENDING
    pending_drill = recall.kind is RecallKind.DRILL and pending
    stated = cases.text_of(recall)
    values = {**asdict(stated), "level": str(recall.level)}
    offered = {
        "reject_form": NoteForm(formdata=None),
        "narrow_form": NoteForm(formdata=None),
        "end_form": NoteForm(formdata=None),
        "decide_form": DecideForm(formdata=None),
        "conclusion_form": ConclusionForm(formdata=None),
        "correct_form": CorrectForm(formdata=None, data=values, stated=stated),
    }
    lots = lots_listed([recall])[recall.id]
    waiting = next((row for row in recall.proposals if row.decided_at is None), None)
    if pending:
        shown = {"reject_form"}
    elif waiting is not None:
        shown = {"decide_form"}
    else:
        shown = {"narrow_form", "end_form", "correct_form"} if recall.status is RecallStatus.ACTIVE else set()
    if recall.status in (RecallStatus.ACTIVE, RecallStatus.COMPLETED):
        shown |= {"conclusion_form"}
    # What a form says that came back too late, and is not offered any more, stands above all.
    late = [error for name, form in forms.items() if name not in shown for error in form.form_errors]
    problems = list(dict.fromkeys([*(problems or []), *late]))
    progress = progress_of(recall)
    case = Case(
        recall=recall,
        progress=progress,
        to_come=waiting_for("report_id", [report.id for party in progress.parties for report in party.task.reports]),
        lots=lots,
        leads=leads_of(recall),
        problems=problems or [],
        supervises=the_user().role in SUPERVISORS,
        whereabouts=whereabouts(recall) if recall.is_open and the_user().role in SUPERVISORS else None,
        may_approve=service.may_be_second(the_user(), recall.issued_by),
        added=lots_listed([waiting.hold])[waiting.hold.id] if waiting and waiting.hold else [],
        causes=_causes(recall) if pending else [],
        filings=filings.filings_of(recall),
        concerned=concerned_by(waiting.hold if waiting and waiting.hold else recall) if pending or waiting else [],
        stand=further_notices.stand_of(recall),
        officers=_second_officers(recall, waiting),
        proposal=waiting,
        may_take_back=waiting is not None and waiting.proposed_by_id == the_user().id,
        may_decide=waiting is not None and service.may_be_second(the_user(), waiting.proposed_by),
        ticked=set(request.form.getlist("out", type=row_number)),
        as_recall=recall.scope or {"lots": " ".join(lot.lot_number for lot in lots)},
        found=preview(the_user(), scope_of(recall)) if pending_drill else None,
        **{name: form.apart(name.removesuffix("_form")) for name, form in (offered | forms).items()},
    )
    page = render_template("recalls/manage.html", case=case)
    return page, 422 if problems else max(map(status_of, forms.values()), default=200)
