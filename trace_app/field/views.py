"""Making records, in the field and at the desk; a record's story of corrections; loggers' readings.

The entry pages stand under ``/field/``: the service worker keeps them, so that they open without a network. What was
entered then is sent later by ``field.js``, which asks for JSON.
"""

from __future__ import annotations

from uuid import uuid4

from flask import Blueprint, Response, flash, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf.csrf import generate_csrf

from trace_app.accounts.access import NotFound, allow, public, signed_in, the_user
from trace_app.accounts.models import Author, RoleName
from trace_app.body_limits import takes_uploads
from trace_app.catalogue.models import ProductKind, Stage
from trace_app.catalogue.service import kind_named, sites_of
from trace_app.clock import today
from trace_app.db.session import transaction
from trace_app.field.answers import kept, refused, wants_json
from trace_app.households.service import has_households
from trace_app.inputs.service import product_of_code
from trace_app.media.service import MAX_PHOTOS, stored_photos
from trace_app.records import service
from trace_app.records.forms import RecordForm, RecordScopeForm, form_for, values_of
from trace_app.records.from_stock import taken_again
from trace_app.records.models import INPUT_TYPES, Record, RecordType
from trace_app.records.registered import RegisteredNumbers
from trace_app.records.series import LoggerFile, chart_points, read_logger
from trace_app.records.texts import (
    TYPES,
    amount,
    closed_to_wechat,
    details,
    differences,
    record_title,
    stage_values,
    title_of,
    video_site_name,
)
from trace_app.security_headers import keep_for_going_back
from trace_app.stock.service import offered_stock
from trace_app.templating import CODE_READER, STATIC, asset, register_words, script, status_of
from trace_app.uploads import upload
from trace_app.values import Facts
from trace_app.whole_numbers import row_number

views = Blueprint("field", __name__)


FIELD_SCRIPTS = (
    "field",
    "entry-form",
    "lot-choice",
    "stock-choice",
    "bottle-code",
    "scan",
    "load-script",
    "entry-store",
    "outbox",
    "outbox-list",
    "households",
    "waiting-here",
    "phone-storage",
    "exif",
    "small-photo",
    "photo-keeping",
    "photo-queue",
    "photos-waiting",
)
"""The modules of the pages that open without a network."""


PLAIN_TYPES = (RecordType.CARE, RecordType.VIDEO)


register_words(views, record_type=TYPES)


views.add_app_template_filter(record_title)


views.add_app_template_filter(chart_points)


views.add_app_template_filter(amount)
views.add_app_template_filter(stage_values)


views.add_app_template_filter(details)


views.add_app_template_filter(video_site_name)
views.add_app_template_filter(closed_to_wechat)


@views.get("/field/")
@allow(RoleName.PRODUCER)
def home() -> ResponseReturnValue:
    """Where a day in the field begins: what can be recorded, and what still waits to be sent."""
    return render_template(
        "field/home.html",
        kinds=service.open_kinds(the_user()),
        plain_types=PLAIN_TYPES,
        site_records=service.site_records(the_user())[:10],
        weighs=has_households(the_user().organisation),
    )


@views.get("/field/session")
@signed_in
def session() -> ResponseReturnValue:
    """Who is signed in, with a token to send entries with."""
    return jsonify(user=the_user().username, user_id=the_user().id, csrf_token=generate_csrf())


@views.get("/field/sw.js")
@public
def service_worker() -> ResponseReturnValue:
    """The service worker, with the files of this version that it keeps."""
    files = [asset(name) for name in ("public.css", "app.css", "icon.svg")]
    kept = files + [script(name) for name in FIELD_SCRIPTS]
    text = (STATIC / "sw.js").read_text("utf-8").replace("/* KEPT */", ", ".join(f'"{path}"' for path in kept))
    return Response(text, mimetype="text/javascript", headers={"Cache-Control": "no-cache"})


@views.get("/field/manifest.webmanifest")
@public
def manifest() -> ResponseReturnValue:
    """What lets a phone put the entry pages on its home screen."""
    icons = [
        {"src": asset(f"icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
        for size in (192, 512)
        for purpose in ("any", "maskable")
    ]
    facts = {
        "name": str(_("田间记录 · 曲靖农产品追溯")),
        "short_name": str(_("田间记录")),
        "start_url": "/field/",
        "scope": "/field/",
        "display": "standalone",
        "background_color": "#f7f4ec",
        "theme_color": "#1b5a43",
        "icons": icons,
    }
    response = jsonify(facts)
    response.mimetype = "application/manifest+json"
    return response


@views.get("/field/<kind_code>/<record_type>/input")
@allow(RoleName.PRODUCER)
def find_input(kind_code: str, record_type: str) -> ResponseReturnValue:
    """The product of the catalogue that a bottle's code or a registration number names, as a record has it."""
    kind, wanted = kind_named(kind_code), _record_type(record_type)
    service.check_applies(kind, wanted, None)
    found = product_of_code(the_user(), wanted.value, (request.args.get("code") or "")[:300])
    if found is None:
        return jsonify(found=None)
    use = found.use_on(kind.code)
    fills = {
        "product_name": found.name,
        "registration_number": found.registration_number,
        "active_ingredient": found.active_ingredient,
        "interval_days": use.interval_days if use else None,
    }
    known = {name: str(value) for name, value in fills.items() if value not in (None, "")}
    return jsonify(found={"fills": known, "unit": use.dose_unit if use else None})


@views.route("/field/<kind_code>/<record_type>", methods=["GET", "POST"])
@views.route("/field/<kind_code>/<record_type>/<stage_code>", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@takes_uploads
def new(kind_code: str, record_type: str, stage_code: str | None = None) -> ResponseReturnValue:
    kind = kind_named(kind_code)
    wanted = _record_type(record_type)
    stage = service.check_applies(kind, wanted, stage_code)
    last = service.last_like(the_user(), kind, wanted, stage_code)
    offered = values_of(last) if last else {}
    form = _record_form(kind, wanted, stage, offered | {"happened_on": today()}, again=True)
    scope_form = _scope_form(kind)
    if request.method == "POST" and scope_form.validate() & form.validate():
        record_id = None
        entry, scope, author = (
            service.entry_for(kind, wanted, stage_code, form.facts),
            scope_form.chosen,
            Author.of(the_user()),
        )
        entry_key = scope_form.entry_key.data or None
        with form.refusals():
            series = _series_of(form)
            with stored_photos(form.photos.cleaned) as photos, transaction():
                record_id = service.add_record(
                    author,
                    scope,
                    entry,
                    photos=photos,
                    to_come=form.photos.to_come,
                    series=series,
                    entry_key=entry_key,
                )
        if record_id is not None and not form.errors:
            return _kept(service.own_record(the_user(), record_id))
    page = _form_page(form, kind, wanted, stage, scope_form=scope_form, last=last)
    return refused(page[0], form, scope_form) if wants_json() and request.method == "POST" else page


@views.route("/field/records/<int:record_id>/correct", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@takes_uploads
def correct(record_id: int) -> ResponseReturnValue:
    record = service.own_record(the_user(), record_id)
    stage = service.stage_of(record.kind, record.stage_code)
    form = _record_form(record.kind, record.type, stage, values_of(record, whole=True))
    newer_id = None
    if form.validate_on_submit() and form.has_reason():
        with form.refusals():
            series = _series_of(form)
            try:
                with stored_photos(form.photos.cleaned) as photos, transaction():
                    correction = service.correct_record(
                        the_user(),
                        service.own_record(the_user(), record_id),
                        form.facts,
                        form.correction_reason.data or "",
                        photos,
                        to_come=form.photos.to_come,
                        series=series,
                        entry_key=(request.form.get("entry_key") or "")[:40] or None,
                    )
            except service.AlreadyCorrected as problem:
                newer_id = problem.newer_id
        if newer_id is not None:
            return _conflict(form, record_id, service.own_record(the_user(), newer_id))
        if not form.errors:
            return _kept(correction)
    record = service.own_record(the_user(), record_id)
    page = _form_page(form, record.kind, record.type, stage, correcting=record)
    return refused(page[0], form) if wants_json() and request.method == "POST" else page


def _record_type(text: str) -> RecordType:
    try:
        return RecordType(text)
    except ValueError as error:
        raise NotFound from error


def _record_form(
    kind: ProductKind, record_type: RecordType, stage: Stage | None, offered: Facts, *, again: bool = False
) -> RecordForm:
    stock = offered_stock(the_user().organisation, record_type.value) if record_type in INPUT_TYPES else []
    if again:
        offered = offered | taken_again(offered.get("stock_id"), stock, kind.code)
    registered = RegisteredNumbers(the_user(), record_type)
    return form_for(record_type, stage)(data=offered, stock=stock, kind_code=kind.code, registered=registered)


def _scope_form(kind: ProductKind) -> RecordScopeForm:
    chosen = request.args.get("batch", type=row_number)
    lots = service.open_lots(the_user(), kind)
    # A lot that has been closed or recalled since the page was opened is told of by name.
    sent = service.own_among(the_user(), request.form.getlist("batch_ids", type=row_number))
    return RecordScopeForm(
        lots=lots,
        meant=sent,
        sites=sites_of(the_user().organisation),
        data={"scope": "lots", "batch_ids": [chosen] if chosen else [], "entry_key": str(uuid4())},
    )


def _series_of(form: RecordForm) -> LoggerFile | None:
    """:raises SheetProblem, BadSeries:"""
    file = upload(form["series"]) if "series" in form else None
    return read_logger(*file) if file is not None else None


def _kept(record: Record) -> ResponseReturnValue:
    place = url_for("batches.show", batch_id=record.batch_id) if record.batch_id else url_for("field.home")
    if record.type is RecordType.VIDEO and not record.video_url and not record.replaces_id:
        place = url_for("clips.of_record", record_id=record.id)
    if record.video_url and closed_to_wechat(record.video_url):
        site = video_site_name(record.video_url)
        flash(_("%(site)s的视频在微信里可能打不开，扫码的人多用微信。最好再传一段手机里的视频。", site=site), "warning")
    return kept(record.id, place, _("更正已记下，原记录保留。") if record.replaces_id else _("已记下。"))


def _conflict(form: RecordForm, record_id: int, newer: Record) -> ResponseReturnValue:
    """Someone else corrected the record first: show both, keep neither in silence."""
    old = service.own_record(the_user(), record_id)
    mine = service.unsaved(old, form.facts)
    found = [{"label": label, "theirs": theirs, "mine": own} for label, theirs, own in differences(newer, mine)]
    message = _("这条记录刚刚被 %(who)s 更正过。", who=newer.created_by.full_name if newer.created_by else "—")
    if wants_json():
        url = url_for("field.correct", record_id=newer.id)
        return jsonify(message=str(message), differences=found, newer=url, title=record_title(newer)), 409
    form.form_errors = [*form.form_errors, message]
    stage = service.stage_of(newer.kind, newer.stage_code)
    page = _form_page(form, newer.kind, newer.type, stage, correcting=newer, differences=found)
    return page[0], 409


def _form_page(
    form: RecordForm,
    kind: ProductKind,
    record_type: RecordType,
    stage: Stage | None,
    *,
    scope_form: RecordScopeForm | None = None,
    last: Record | None = None,
    correcting: Record | None = None,
    differences: list[dict[str, str]] | None = None,
) -> tuple[str, int]:
    keep_for_going_back()
    page = render_template(
        "field/form.html",
        form=form,
        scope_form=scope_form,
        kind=kind,
        type=record_type,
        title=title_of(record_type, stage),
        last=last,
        correcting=correcting,
        most_photos=MAX_PHOTOS,
        differences=differences or [],
        today=today(),
        entry_key=str(uuid4()),
        finds=url_for("field.find_input", kind_code=kind.code, record_type=record_type) + "?code=",
        reader=CODE_READER.exists(),
    )
    return page, max(status_of(form), status_of(scope_form) if scope_form else 200)
