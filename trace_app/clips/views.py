"""Clips on records, added by tus 1.0 (`trace_app.tus`) or a plain form; clips and their pictures as pages show them."""

from __future__ import annotations

import io

from flask import Blueprint, Response, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from media_store import MediaNotFound
from media_store.clips import MAX_BYTES
from media_store.photos import CONTENT_TYPE
from trace_app import tus
from trace_app.accounts.access import SUPERVISORS, NotFound, acting_user, allow, public, the_user
from trace_app.accounts.models import RoleName
from trace_app.body_limits import takes_bytes, takes_uploads
from trace_app.clips import uploads
from trace_app.clips.forms import ClipForm
from trace_app.clips.sending import clip_answer
from trace_app.clips.texts import REFUSALS, clip_length, file_size
from trace_app.db.session import transaction
from trace_app.media.models import Clip
from trace_app.media.service import clip_by_name, media_store
from trace_app.records.filmed import is_public, record_of_clip
from trace_app.records.service import batches_of, latest, own_record, record_for
from trace_app.templating import STATIC, register_words, status_of

views = Blueprint("clips", __name__)

CLIP_AGE = 31_536_000
PRIVATE = "private, no-cache"

register_words(views, clip_refusal=REFUSALS)


views.add_app_template_filter(clip_length)


views.add_app_template_filter(file_size)


# ---- pages


@views.route("/records/<int:record_id>/clips", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@takes_uploads
def of_record(record_id: int) -> ResponseReturnValue:
    """A record's clips, what is under way, and a place to add one."""
    record = latest(own_record(the_user(), record_id))
    form = ClipForm()
    if form.validate_on_submit():
        file = form.clip.data
        length = file.stream.seek(0, io.SEEK_END)
        file.stream.seek(0)
        with form.refusals():
            uploads.receive_whole(the_user(), record.id, file.filename, length, file.stream)
        if not form.errors:
            flash(_("视频已收到，正在检查。"))
            return redirect(url_for("clips.of_record", record_id=record_id))
        record = latest(own_record(the_user(), record_id))
    unfinished = uploads.unfinished_uploads(the_user())
    page = render_template(
        "clips/of_record.html",
        record=record,
        lots=batches_of(record),
        form=form,
        unfinished=unfinished,
        stopped=uploads.why_stopped(record),
        has_room=uploads.has_room(record),
        most_mb=MAX_BYTES >> 20,
        library=(STATIC / "vendor" / "tus.js").exists(),
        days_kept=uploads.DAYS_KEPT,
    )
    return page, status_of(form)


@views.post("/clips/uploads/<string(length=32):upload>/give-up")
@allow(RoleName.PRODUCER)
def give_up(upload: str) -> ResponseReturnValue:
    record_id = uploads.own_upload(the_user(), upload).record_id
    uploads.give_up(the_user(), upload)
    flash(_("已放弃这段没有传完的视频。"))
    return redirect(url_for("clips.of_record", record_id=record_id))


# ---- tus


@views.route("/clips/uploads", methods=["OPTIONS"])
@allow(RoleName.PRODUCER)
def what_is_taken() -> Response:
    """What the server knows of the protocol."""
    return Response(
        status=204,
        headers={
            "Tus-Resumable": tus.VERSION,
            "Tus-Version": tus.VERSION,
            "Tus-Extension": tus.EXTENSIONS,
            "Tus-Max-Size": str(MAX_BYTES),
            "Tus-Checksum-Algorithm": ",".join(sorted(tus.DIGESTS)),
        },
    )


@views.post("/clips/uploads")
@allow(RoleName.PRODUCER)
@tus.spoken
def begin() -> Response:
    """Make room for a clip, whose parts come later."""
    length, told = tus.number_in("Upload-Length"), tus.told_metadata()
    record_id = told.get("record", "")
    if length is None or not (record_id.isascii() and record_id.isdigit() and len(record_id) < 10):
        return Response(status=400)
    with transaction():
        upload = uploads.begin_upload(the_user(), int(record_id), told.get("filename", ""), length)
        place = url_for("clips.part", upload=upload.name)
    return Response(status=201, headers={"Location": place})


@views.route("/clips/uploads/<string(length=32):upload>", methods=["HEAD"])
@allow(RoleName.PRODUCER)
@tus.spoken
def how_far(upload: str) -> Response:
    """How much of a clip has come."""
    row = uploads.own_upload(the_user(), upload)
    headers = {"Upload-Offset": str(row.received), "Upload-Length": str(row.bytes)}
    return Response(status=200, headers=headers)


@views.route("/clips/uploads/<string(length=32):upload>", methods=["PATCH"])
@allow(RoleName.PRODUCER)
@takes_bytes(uploads.PART_MB << 20)
@tus.spoken
def part(upload: str) -> Response:
    """The next part of a clip."""
    if request.mimetype != tus.PART_TYPE:
        return Response(status=415)
    offset = tus.number_in("Upload-Offset")
    if offset is None:
        return Response(status=400)
    is_right = tus.told_digest()
    if is_right is None:
        return Response(status=400)
    # A stream of the request, and not what Flask may have kept of it.
    received = uploads.receive_part(the_user(), upload, offset, request.stream, is_right)
    return Response(status=204, headers={"Upload-Offset": str(received)})


@views.delete("/clips/uploads/<string(length=32):upload>")
@allow(RoleName.PRODUCER)
@tus.spoken
def terminate(upload: str) -> Response:
    uploads.give_up(the_user(), upload)
    return Response(status=204)


# ---- what pages show


def _ready(name: str) -> Clip:
    clip = clip_by_name(name)
    if clip is None or not clip.is_ready:
        raise NotFound
    return clip


def _shown(name: str) -> tuple[Clip, str]:
    """A clip that the visitor may see, and how long its answer may be kept: until one of its lots is released, it is
    for its producer and who watches over it.

    :raises NotFound:
    """
    clip = _ready(name)
    if is_public(clip):
        return clip, f"public, max-age={CLIP_AGE}, immutable"
    user = acting_user()
    if user is None:
        raise NotFound
    record_for(user, record_of_clip(clip))
    return clip, PRIVATE


@views.get("/clips/<string(length=32):name>.mp4")
@public
def film(name: str) -> ResponseReturnValue:
    """A clip that every browser plays, a range at a time."""
    clip, kept = _shown(name)
    if not clip.plays:
        raise NotFound
    return clip_answer(clip, kept)


@views.get("/clips/<string(length=32):name>-<any(poster, sheet):picture>.webp")
@public
def picture(name: str, picture: str) -> ResponseReturnValue:
    clip, kept = _shown(name)
    try:
        file = media_store().open(clip.poster_key if picture == "poster" else clip.sheet_key)
    except MediaNotFound as error:
        raise NotFound from error
    response = send_file(file, mimetype=CONTENT_TYPE)
    response.headers["Cache-Control"] = kept
    return response


@views.get("/clips/<string(length=32):clip>/original")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def original(clip: str) -> ResponseReturnValue:
    """A clip's file as it was received, for its producer and who watches over it."""
    row = _ready(clip)
    record_for(the_user(), record_of_clip(row))
    response = clip_answer(row, PRIVATE, is_original=True)
    response.headers.set("Content-Disposition", "attachment", filename=f"{row.name}.{row.ending}")
    return response
