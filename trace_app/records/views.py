"""Making records, in the field and at the desk; a record's story of corrections; loggers' readings.

The entry pages stand under ``/field/``: the service worker keeps them, so that they open without a network. What was
entered then is sent later by ``field.js``, which asks for JSON.
"""

from __future__ import annotations

from flask import Blueprint, render_template, request, send_file
from flask.typing import ResponseReturnValue

from trace_app.accounts.access import SUPERVISORS, NotFound, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.media.service import DOCUMENT_TYPES, open_document
from trace_app.records import service
from trace_app.records.columns import RECORDS
from trace_app.records.models import RecordType
from trace_app.records.texts import differences

views = Blueprint("records", __name__)


@views.get("/records")
@allow(RoleName.PRODUCER)
def index() -> ResponseReturnValue:
    search = request.args.get("q", "").strip()[:60]
    typed = request.args.get("type", "")
    record_type = RecordType(typed) if typed in set(RecordType) else None
    listing = RECORDS.asked(service.own_records(the_user(), search, record_type), {"q": search, "type": typed})
    return listing.file() or render_template("records/index.html", listing=listing, types=RecordType, typed=typed)


@views.get("/records/<int:record_id>")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def story(record_id: int) -> ResponseReturnValue:
    """A record with its corrections and what each changed."""
    chain = service.story_of(service.record_for(the_user(), record_id))
    steps = [
        (record, differences(older, record) if older else [])
        for older, record in zip([None, *chain], chain, strict=False)
    ]
    return render_template(
        "records/story.html",
        steps=steps,
        latest=chain[-1],
        lots=service.batches_of(chain[-1]),
        own=the_user().role is RoleName.PRODUCER,
    )


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
