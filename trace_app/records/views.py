"""A record's story of corrections, and its withdrawal; loggers' readings."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, NotFound, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.arrivals.service import waiting_for
from trace_app.db.session import transaction
from trace_app.lists import typed_search
from trace_app.media.service import DOCUMENT_TYPES, open_document
from trace_app.records import service
from trace_app.records.columns import RECORDS
from trace_app.records.evidence import photo_evidence
from trace_app.records.forms import WithdrawalForm
from trace_app.records.models import Record, RecordType
from trace_app.records.texts import differences, place_text
from trace_app.templating import status_of

views = Blueprint("records", __name__)
views.add_app_template_filter(place_text)


@views.get("/records")
@allow(RoleName.PRODUCER)
def index() -> ResponseReturnValue:
    search = typed_search()
    typed = request.args.get("type", "")
    record_type = RecordType(typed) if typed in set(RecordType) else None
    listing = RECORDS.asked(service.own_records(the_user(), search, record_type), {"q": search, "type": typed})
    return listing.file() or render_template("records/index.html", listing=listing, types=RecordType, typed=typed)


@views.get("/records/<int:record_id>")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def story(record_id: int) -> ResponseReturnValue:
    """A record with its corrections and what each changed."""
    return _story(service.record_for(the_user(), record_id))


def _story(record: Record, refused: WithdrawalForm | None = None) -> str:
    chain = service.story_of(record)
    own = the_user().role is RoleName.PRODUCER
    steps = [
        (record, differences(older, record) if older else [])
        for older, record in zip([None, *chain], chain, strict=False)
    ]
    return render_template(
        "records/story.html",
        steps=steps,
        latest=chain[-1],
        to_come=waiting_for("record_id", [record.id for record in chain]),
        lots=service.batches_of(chain[-1]),
        evidence={} if own else {record.id: photo_evidence(record) for record in chain},
        own=own,
        relying=service.lots_relying(chain[-1]),
        refused=refused,
    )


@views.post("/records/<int:record_id>/withdraw")
@allow(RoleName.PRODUCER)
def withdraw(record_id: int) -> ResponseReturnValue:
    form = WithdrawalForm()
    if form.validate():
        with form.refusals(), transaction():
            service.withdraw_record(the_user(), service.own_record(the_user(), record_id), form.reason.data)
        if not form.errors:
            flash(_("已撤回。记录保留并注明已撤回，不再计算。"))
            return redirect(url_for("records.story", record_id=record_id))
    return _story(service.own_record(the_user(), record_id), form), status_of(form)


@views.get("/records/<int:record_id>/readings")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def readings(record_id: int) -> ResponseReturnValue:
    """A logger's file as it was handed in."""
    record = service.record_for(the_user(), record_id)
    if not record.series:
        raise NotFound
    document = record.series[0].document
    return send_file(
        open_document(document),
        mimetype=DOCUMENT_TYPES[document.kind],
        as_attachment=True,
        download_name=document.file_name,
    )
