"""Recalling, or holding, one lot or all that a scope reaches."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.forms import jurisdiction_choices
from trace_app.accounts.models import RoleName
from trace_app.batches import service as batches
from trace_app.batches.forms import STATES
from trace_app.db.session import transaction
from trace_app.extensions import jobs
from trace_app.flow.service import steps_from
from trace_app.labels.service import labels_made
from trace_app.recalls import service
from trace_app.recalls.forms import ExtendForm, RecallForm, ScopeForm, ScopeRecallForm
from trace_app.recalls.models import Recall, RecallKind, RecallStatus
from trace_app.recalls.scope import MOST_LISTED, EmptyScope, Preview, ScopeTooWide, map_of_sites, preview
from trace_app.recalls.tasks import tell_everyone
from trace_app.templating import status_of

views = Blueprint("recalls", __name__)
ISSUERS = (RoleName.PRODUCER, *SUPERVISORS)


@views.route("/batches/<int:batch_id>/recall", methods=["GET", "POST"])
@allow(*ISSUERS)
def issue(batch_id: int) -> Any:
    batch = batches.batch_for(the_user(), batch_id)
    form = RecallForm()
    if form.validate_on_submit():
        with form.refusals(), transaction():
            recall = service.issue_recall(the_user(), batches.batch_for(the_user(), batch_id), **form.recall_facts)
        if not form.errors:
            return _issued(recall)
        batch = batches.batch_for(the_user(), batch_id)
    page = render_template(
        "recalls/issue.html", form=form, batch=batch, labels=labels_made(batch), states=STATES,
        authority=the_user().organisation, following=len({step.target_id for step in steps_from(batch_id, "forward")}),
        voluntary=the_user().role is RoleName.PRODUCER,
    )  # fmt: skip
    return page, status_of(form)


def _issued(recall: Recall) -> Any:
    jobs.enqueue(tell_everyone, recall.id)
    if recall.status is RecallStatus.PENDING:
        flash(
            _("一级召回已提交，等待第二位监管人员批准。在此之前，%(count)d 批已全部暂停销售。", count=recall.lot_count)
        )
    elif recall.kind is RecallKind.HOLD:
        flash(_("已暂停销售，共 %(count)d 批。每一张标签现在都会显示暂停。", count=recall.lot_count))
    else:
        flash(_("召回已发布，共 %(count)d 批。每一张标签现在都会显示召回通知。", count=recall.lot_count))
    return redirect(url_for("managed_recalls.show", number=recall.number))


@views.get("/recall")
@allow(*ISSUERS)
def scope() -> Any:
    """Define what a recall reaches, see it, then issue."""
    scope_form = _scope_form(request.args)
    extended = _extended(request.args)
    form = ExtendForm(formdata=None) if extended else ScopeRecallForm(formdata=None)
    asked = any(value for name, value in request.args.items() if name not in {"extends", "lang"})
    return _scope_page(scope_form, form, extended, asked=asked)


@views.post("/recall")
@allow(*ISSUERS)
def issue_scope() -> Any:
    scope_form, extended = _scope_form(request.form), _extended(request.form)
    form: ScopeRecallForm | ExtendForm = ExtendForm() if extended else ScopeRecallForm()
    left_out, faults = _left_out()
    if scope_form.validate() & form.validate() and not faults:
        with form.refusals(), transaction():
            meant = scope_form.recall_scope
            found = preview(the_user(), meant)
            reached = _takes_in(found) - len(left_out)
            if form.count.data != reached:
                form.refuse("count", str(_("范围内现在有 %(count)d 批，请核对后再填。", count=reached)))
            elif isinstance(form, ScopeRecallForm):
                recall = service.issue_by_scope(the_user(), meant, left_out, **form.recall_facts)
            else:
                recall = service.managed_recall(the_user(), request.form["extends"])
                added = service.extend(the_user(), recall, meant, left_out, form.note.data)
        if not form.errors and isinstance(form, ScopeRecallForm):
            return _issued(recall)
        if not form.errors:
            jobs.enqueue(tell_everyone, recall.id)
            flash(_("已扩大范围，增加 %(count)d 批。", count=added))
            return redirect(url_for("managed_recalls.show", number=recall.number))
    return _scope_page(scope_form, form, _extended(request.form), asked=True, faults=faults)


def _extended(values: Any) -> Recall | None:
    """The recall that is to be extended, if one is."""
    number = values.get("extends", "")
    return service.managed_recall(the_user(), number) if number else None


def _takes_in(found: Preview) -> int:
    """How many lots a notice of this user takes in: a producer's only its own."""
    return found.own_count if the_user().role is RoleName.PRODUCER else found.count


def _scope_form(values: Any) -> ScopeForm:
    places = jurisdiction_choices(the_user().organisation)
    return ScopeForm(values, places=places)


def _left_out() -> tuple[dict[int, str], set[int]]:
    """Lots that were ticked to be left out with their reasons, and those without one."""
    ticked = request.form.getlist("out", type=int)
    reasons = {lot_id: " ".join(request.form.get(f"why-{lot_id}", "").split())[:300] for lot_id in ticked}
    return {lot_id: why for lot_id, why in reasons.items() if why}, {
        lot_id for lot_id, why in reasons.items() if not why
    }


def _scope_page(
    scope_form: ScopeForm, form: Any, extended: Recall | None, *, asked: bool, faults: set[int] | None = None
) -> Any:
    found: Preview | None = None
    problem = ""
    if asked and scope_form.validate():
        try:
            found = preview(the_user(), scope_form.recall_scope)
        except (EmptyScope, ScopeTooWide) as trouble:
            problem = trouble.message
    voluntary = the_user().role is RoleName.PRODUCER
    page = render_template(
        "recalls/scope.html", scope_form=scope_form, form=form, found=found, problem=problem, faults=faults or set(),
        states=STATES, most=MOST_LISTED, ticked=set(request.form.getlist("out", type=int)), whys=request.form,
        authority=the_user().organisation, extended=extended, voluntary=voluntary, site_map=map_of_sites(the_user()),
        taken=_takes_in(found) if found else 0, own=the_user().organisation_id if voluntary else None,
    )  # fmt: skip
    return page, 422 if problem or form.errors or scope_form.errors or faults else 200
