"""A batch's page with its records; adding and correcting records; releasing on their strength."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext as _

from trace_app.accounts import audit
from trace_app.accounts.access import SUPERVISORS, NotFound, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.accounts.service import AUDIT_ACTIONS
from trace_app.batches import service as batches
from trace_app.batches.forms import STATES
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Stage
from trace_app.clock import today
from trace_app.db.session import transaction
from trace_app.media.service import MAX_PHOTOS
from trace_app.records import service
from trace_app.records.forms import RecordForm, form_for, values_of
from trace_app.records.intervals import intervals
from trace_app.records.models import Record, RecordType
from trace_app.records.showing import TYPES, details, record_title, title_of
from trace_app.templating import status_of
from trace_app.uploads import uploads

views = Blueprint("records", __name__)


@views.get("/batches/<int:batch_id>")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def batch(batch_id: int) -> Any:
    return _batch_page(batches.batch_for(the_user(), batch_id))


def _batch_page(row: Batch, problem: str | None = None) -> str:
    records = service.records_of(row)
    valid = service.in_force(records)
    return render_template(
        "batches/show.html",
        batch=row,
        records=records,
        intervals=intervals(row, valid),
        own=the_user().role is RoleName.PRODUCER,
        types=TYPES,
        states=STATES,
        record_title=record_title,
        details=details,
        history=audit.history(row),
        actions=AUDIT_ACTIONS,
        problem=problem,
    )


@views.post("/batches/<int:batch_id>/release")
@allow(RoleName.PRODUCER)
def release(batch_id: int) -> Any:
    try:
        with transaction():
            service.release_batch(the_user(), batches.own_batch(the_user(), batch_id))
    except (batches.NotReadyForRelease, service.IntervalNotKept) as problem:
        return _batch_page(batches.own_batch(the_user(), batch_id), problem.message), problem.status
    flash(_("批次已放行，可以打印标签了。"))
    return redirect(url_for("records.batch", batch_id=batch_id))


@views.route("/batches/<int:batch_id>/records/<record_type>/new", methods=["GET", "POST"])
@views.route("/batches/<int:batch_id>/records/<record_type>/<stage_code>/new", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def new(batch_id: int, record_type: str, stage_code: str | None = None) -> Any:
    row = batches.own_batch(the_user(), batch_id)
    wanted = _record_type(record_type)
    stage = service.check_applies(row, wanted, stage_code)
    last = service.last_like(the_user(), row, wanted, stage_code)
    offered = values_of(last) if last else {}
    form = form_for(wanted, stage)(data=offered | {"happened_on": today()})
    if form.validate_on_submit():
        with form.refusals(), transaction():
            service.add_record(
                the_user(), batches.own_batch(the_user(), batch_id), wanted, form.facts,
                stage_code=stage_code, photos=uploads(form.photos),
            )  # fmt: skip
        if not form.errors:
            flash(_("已记下。"))
            return redirect(url_for("records.batch", batch_id=batch_id))
    return _form_page(form, row, wanted, stage, last=last)


@views.route("/records/<int:record_id>/correct", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def correct(record_id: int) -> Any:
    record = service.own_record(the_user(), record_id)
    stage = service.stage_of(record.batch, record.stage_code)
    form = form_for(record.type, stage)(data=values_of(record, whole=True))
    if form.validate_on_submit() and form.has_reason():
        with form.refusals(), transaction():
            service.correct_record(
                the_user(), service.own_record(the_user(), record_id), form.facts,
                form.correction_reason.data or "", uploads(form.photos),
            )  # fmt: skip
        if not form.errors:
            flash(_("更正已记下，原记录保留。"))
            return redirect(url_for("records.batch", batch_id=record.batch_id))
    return _form_page(form, record.batch, record.type, stage, correcting=record)


def _record_type(text: str) -> RecordType:
    try:
        return RecordType(text)
    except ValueError as error:
        raise NotFound from error


def _form_page(
    form: RecordForm, row: Batch, record_type: RecordType, stage: Stage | None, *,
    last: Record | None = None, correcting: Record | None = None,
) -> Any:  # fmt: skip
    page = render_template(
        "records/form.html", form=form, batch=row, type=record_type, title=title_of(record_type, stage),
        last=last, correcting=correcting, most_photos=MAX_PHOTOS,
    )  # fmt: skip
    return page, status_of(form)
