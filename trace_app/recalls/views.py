"""Recalling a batch."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.batches import service as batches
from trace_app.db.session import transaction
from trace_app.labels.service import labels_made
from trace_app.recalls import service
from trace_app.recalls.forms import LEVELS, RecallForm
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
        authority=the_user().organisation,
    )  # fmt: skip
    return page, status_of(form)
