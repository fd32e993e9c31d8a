"""Recalling a batch."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.forms import jurisdiction_choices
from trace_app.batches import service as batches
from trace_app.batches.forms import STATES
from trace_app.db.session import transaction
from trace_app.flow.service import steps_from
from trace_app.labels.service import labels_made
from trace_app.recalls import service
from trace_app.recalls.forms import LEVELS, RecallForm, ScopeForm, ScopeRecallForm
from trace_app.recalls.scope import MOST_LISTED, EmptyScope, Preview, ScopeTooWide, preview
from trace_app.templating import status_of

views = Blueprint("recalls", __name__)


@views.route("/batches/<int:batch_id>/recall", methods=["GET", "POST"])
@allow(*SUPERVISORS)
def issue(batch_id: int) -> Any:
    batch = batches.batch_for(the_user(), batch_id)
    notice = service.recall_in_force(batch)
    if notice:
        return redirect(url_for("public.recall", number=notice.number))
    form = RecallForm()
    if form.validate_on_submit():
        with form.refusals(), transaction():
            recall = service.issue_recall(the_user(), batches.batch_for(the_user(), batch_id), **form.facts)
        if not form.errors:
            flash(_("召回已发布。该批次的每一张标签现在都会显示召回通知。"))
            return redirect(url_for("public.recall", number=recall.number))
        batch = batches.batch_for(the_user(), batch_id)
    page = render_template(
        "recalls/issue.html", form=form, batch=batch, labels=labels_made(batch), levels=LEVELS,
        authority=the_user().organisation, following=len({step.target_id for step in steps_from(batch_id, "forward")}),
    )  # fmt: skip
    return page, status_of(form)


@views.get("/recall")
@allow(*SUPERVISORS)
def scope() -> Any:
    """Define what a recall reaches, see it, then issue."""
    scope_form = _scope_form(request.args)
    return _scope_page(scope_form, ScopeRecallForm(formdata=None), asked=any(request.args.values()))


@views.post("/recall")
@allow(*SUPERVISORS)
def issue_scope() -> Any:
    scope_form, form = _scope_form(request.form), ScopeRecallForm()
    left_out, faults = _left_out()
    if scope_form.validate() & form.validate() and not faults:
        facts = {name: value for name, value in form.facts.items() if name != "count"}
        with form.refusals(), transaction():
            meant = scope_form.recall_scope
            found = preview(the_user(), meant)
            reached = found.count - found.recalled_count - len(left_out)
            if form.count.data != reached:
                form.refuse("count", str(_("范围内现在有 %(count)d 批，请核对后再填。", count=reached)))
            else:
                recall = service.issue_by_scope(the_user(), meant, left_out, **facts)
        if not form.errors:
            flash(_("召回已发布，共 %(count)d 批。每一张标签现在都会显示召回通知。", count=recall.lot_count))
            return redirect(url_for("public.recall", number=recall.number))
    return _scope_page(scope_form, form, asked=True, faults=faults)


def _scope_form(values: Any) -> ScopeForm:
    return ScopeForm(values, places=jurisdiction_choices(the_user().organisation))


def _left_out() -> tuple[dict[int, str], set[int]]:
    """Lots that were ticked to be left out with their reasons, and those without one."""
    ticked = request.form.getlist("out", type=int)
    reasons = {lot_id: " ".join(request.form.get(f"why-{lot_id}", "").split())[:300] for lot_id in ticked}
    return {lot_id: why for lot_id, why in reasons.items() if why}, {
        lot_id for lot_id, why in reasons.items() if not why
    }


def _scope_page(scope_form: ScopeForm, form: ScopeRecallForm, *, asked: bool, faults: set[int] | None = None) -> Any:
    found: Preview | None = None
    problem = ""
    if asked and scope_form.validate():
        try:
            found = preview(the_user(), scope_form.recall_scope)
        except (EmptyScope, ScopeTooWide) as trouble:
            problem = trouble.message
    page = render_template(
        "recalls/scope.html", scope_form=scope_form, form=form, found=found, problem=problem, faults=faults or set(),
        states=STATES, most=MOST_LISTED, ticked=set(request.form.getlist("out", type=int)), whys=request.form,
        authority=the_user().organisation,
    )  # fmt: skip
    return page, 422 if problem or form.errors or scope_form.errors or faults else 200
