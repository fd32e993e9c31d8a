"""Home, trace pages, recall notices and photos, for everyone."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, redirect, render_template, request, send_file, url_for
from flask_babel import lazy_gettext as _

from media_store import MediaNotFound
from media_store.photos import CONTENT_TYPE
from qr.codes import InvalidCode, format_code
from qr.reading import UnreadablePicture, open_picture, read_symbols
from trace_app.accounts.access import NotFound, public
from trace_app.db.session import only_reading, transaction
from trace_app.extensions import csrf, db, limiter
from trace_app.findings.rules import RULES, message_of
from trace_app.forms import plain_digits
from trace_app.gs1 import NotGs1, read_sscc
from trace_app.labels.forms import PictureForm
from trace_app.labels.models import LabelLevel
from trace_app.labels.packing import code_from_scan, contents_of
from trace_app.labels.pins import check_pin
from trace_app.labels.service import CONTAINERS, ScannedLabel, code_of_sscc, label_of_code, never_made, opens_by_link
from trace_app.language import language
from trace_app.media.service import DOCUMENT_TYPES, document_by_name, open_document, open_photo, photo_by_name
from trace_app.public.county_map import HEIGHT, WIDTH, counties, mark
from trace_app.public.item import HIDDEN, SHOWN, is_unusual, item_line
from trace_app.public.machine import LINKSET_JSON, MEDIA_TYPES, json_text, product_document
from trace_app.public.resolver import linkset_of_label
from trace_app.public.scan_layer import CUT_MARK, ITEM_MARK, MARK, MARKED, PRINTED_MARK, QUIET_MARK, Label
from trace_app.public.trace import Trace, trace_of_batch
from trace_app.quality.showing import SUBJECTS, certificate_label, limit_text, outcome
from trace_app.recalls import feeds, papers
from trace_app.recalls.forms import KINDS, LEVELS, NOTICE_TYPES, STATUSES, CheckForm, RecallSearchForm
from trace_app.recalls.models import Recall
from trace_app.recalls.published import (
    lots_listed,
    lots_with_number,
    newest_recalls,
    public_recall,
    published_recalls,
    recall_in_force,
)
from trace_app.records.models import RecordType
from trace_app.records.showing import amount, record_title, stage_values
from trace_app.scans.items import scanned_item
from trace_app.scans.models import Outcome
from trace_app.security_headers import allow_inline_style
from trace_app.templating import STATIC, inline_style, status_of

views = Blueprint("public", __name__)

LEVELS_OF_LABELS = {
    LabelLevel.BATCH: _("整批标签"),
    LabelLevel.CASE: _("箱标签"),
    LabelLevel.PALLET: _("托盘标签"),
}
UNKNOWN_CODES = limiter.shared_limit("60/minute", scope="unknown codes")
PHOTO_AGE = 31_536_000
NEVER_SHARED = "private, no-cache"
LOTS_IN_LIST = 8
"""Of each notice, in the list of all."""


@views.get("/")
@public
def home() -> Any:
    return render_template("public/home.html", form=PictureForm(), typed="")


@views.get("/find")
@public
def find() -> Any:
    """A code as it was typed leads to its page."""
    typed = request.args.get("code", "").strip()
    if not typed:
        return redirect(url_for("public.home"))
    try:
        code = code_from_scan(typed)
    except InvalidCode:
        return _unknown(typed)
    return redirect(url_for("public.trace", code=code))


@views.post("/find")
@public
@limiter.limit("20/minute")
def find_in_picture() -> Any:
    """A photo of a label leads to its page."""
    form = PictureForm()
    data = form.picture.data.read() if form.validate() and form.picture.data else b""
    try:
        texts = read_symbols(open_picture(data))
    except UnreadablePicture:
        problem = _("请选择一张标签的照片（JPEG、PNG 或 WebP）。")
        return render_template("public/home.html", form=form, typed="", picture_problem=problem), 422
    for text in texts:
        try:
            return redirect(url_for("public.trace", code=code_from_scan(text)))
        except InvalidCode:
            continue
    problem = (
        _("照片里的二维码不是本平台的追溯码。")
        if texts
        else _("照片里没有认出二维码。请对准标签、靠近、在亮处再拍一张，或输入二维码下面的 13 位字符。")
    )
    return render_template("public/home.html", form=form, typed="", picture_problem=problem), 422


@views.get("/<code>")
@public
def trace(code: str) -> Any:
    """The page that a scan opens."""
    read: Label | None = request.environ.get(MARKED)
    if read is not None:
        only_reading()
        batch_id, level, has_pin = read.kept
        label = ScannedLabel(code, batch_id, read.run_id, read.index, LabelLevel(level), has_pin, void=False, link="")
        return _trace_page(label)
    try:
        return _trace_page(label_of_code(code))
    except InvalidCode:
        return _unknown(code)


@views.get("/01/<gtin>/10/<lot>/21/<code>")
@public
def digital_link(gtin: str, lot: str, code: str) -> Any:
    """A label's page by its GS1 Digital Link."""
    try:
        label = label_of_code(code)
    except InvalidCode:
        return _unknown(code)
    if not opens_by_link(label, gtin, lot):
        return _unknown(f"{gtin} {lot} {code}")
    return _trace_page(label)


@views.get("/00/<sscc>")
@public
def container(sscc: str) -> Any:
    """A case's or pallet's page by its SSCC."""
    try:
        return _trace_page(label_of_code(code_of_sscc(read_sscc(sscc))))
    except (InvalidCode, NotGs1):
        return _unknown(sscc)


@views.post("/<code>/pin")
@csrf.exempt
@public
@limiter.limit("30/minute")
def pin(code: str) -> Any:
    """Check the PIN under the scratch film.

    Exempt from CSRF: the page that asks is the same for everyone, and the answer is for whoever asks.
    """
    try:
        label = label_of_code(code)
    except InvalidCode:
        return _unknown(code)
    if not label.has_pin or label.void:
        return redirect(url_for("public.trace", code=label.code))
    typed = plain_digits(request.form.get("pin", ""))[:20]
    if not re.fullmatch(r"\d{6}", typed, re.ASCII):
        return _trace_page(label, pin_problem=_("验真码是涂层下的 6 位数字，请核对后再填。"), pin_typed=typed)
    with transaction():
        answer = check_pin(label, typed)
    return _trace_page(label, pin_answer=answer, pin_typed=typed if answer.outcome != "right" else "")


def _trace_page(label: ScannedLabel, **pin: Any) -> Any:
    marked: Label | None = request.environ.get(MARKED)
    if marked is None and request.method == "GET" and "lang" not in request.args:
        _note(Outcome.VOID if label.void else Outcome.SHOWN, label)
    if label.void:
        style, digest = inline_style("public.css")
        allow_inline_style(digest)
        page = render_template(
            "public/void.html", trace=trace_of_batch(label.batch_id), code=label.code, printed_code=format_code(label.code),
            style=style,
        )  # fmt: skip
        return Response(page, 410, mimetype="text/html", headers={"Cache-Control": NEVER_SHARED})
    trace = trace_of_batch(label.batch_id)
    kind = "text/html" if marked is not None else request.accept_mimetypes.best_match(MEDIA_TYPES, MEDIA_TYPES[0])
    if kind != "text/html":
        return _for_machines(label, trace, kind)
    item = scanned_item(label.run_id, label.index) if marked is None and label.level is LabelLevel.ITEM else None
    first_at, scans = (item.first_at, item.scans) if item else (None, 0)
    code = MARK if marked else label.code
    style, digest = inline_style("public.css")
    allow_inline_style(digest)
    page = render_template(
        "public/trace.html",
        trace=trace,
        code=code,
        # The page's own address, where it is not another one's answer.
        here="" if request.endpoint == "public.trace" else f"/{code}",
        printed_code=PRINTED_MARK if marked else format_code(label.code),
        cut=CUT_MARK if marked else "",
        item=_item_line(label, marked, first_at, scans),
        quiet=QUIET_MARK if marked else (SHOWN if item and is_unusual(scans, item.unusual) else HIDDEN).decode(),
        document=product_document(trace, "", serial=label.level is LabelLevel.ITEM),
        counties=counties(),
        map_size=(WIDTH, HEIGHT),
        site_mark=mark(*trace.position),
        style=style,
        levels=LEVELS,
        record_title=record_title,
        amount=amount,
        stage_values=stage_values,
        types=RecordType,
        subjects=SUBJECTS,
        outcome=outcome,
        limit_text=limit_text,
        certificate_label=certificate_label,
        rules=RULES,
        message_of=message_of,
        has_pin=label.has_pin,
        level=LEVELS_OF_LABELS.get(label.level),
        contents=contents_of(label) if label.level in CONTAINERS else [],
        **pin,
    )
    return _varied(Response(page, mimetype="text/html"))


def _item_line(label: ScannedLabel, marked: Label | None, first_at: Any, scans: int) -> str:
    if label.level is not LabelLevel.ITEM:
        return ""
    return ITEM_MARK if marked else item_line(first_at, scans, language()).decode()


def _for_machines(label: ScannedLabel, trace: Trace, kind: str) -> Response:
    """The same page as data: JSON-LD, or the links of the label."""
    if kind == LINKSET_JSON:
        return _varied(Response(json_text(linkset_of_label(label, trace)), mimetype=kind))
    document = product_document(trace, label.code, serial=label.level is LabelLevel.ITEM)
    return _varied(Response(json_text(document), mimetype=kind, headers={"Access-Control-Allow-Origin": "*"}))


def _varied(response: Response) -> Response:
    """Ask again every time: the next scan must show a recall, and no shared cache may keep what is one reader's."""
    response.headers["Cache-Control"] = NEVER_SHARED
    response.vary.add("Accept")
    return response


def _note(outcome: Outcome, label: ScannedLabel | None = None) -> None:
    """Put a scan that Flask answers into the log."""
    facts = {} if label is None else {"run_id": label.run_id, "batch_id": label.batch_id}
    if label is not None and label.level is not LabelLevel.BATCH:
        facts["index"] = label.index
    current_app.extensions["scan_log"].note(request.environ, language(), outcome, **facts)


def _note_unknown(typed: str) -> None:
    note, made = current_app.extensions["scan_log"].note, never_made(typed)
    if made is None:
        note(request.environ, language(), Outcome.UNKNOWN)
    else:
        run_id, index, batch_id = made
        note(request.environ, language(), Outcome.UNPRINTED, run_id=run_id, index=index, batch_id=batch_id)


def _unknown(typed: str) -> Any:
    """What no label of ours says. Many from one source in a minute get no further answer: nobody scans so many."""
    if request.method == "GET":
        _note_unknown(typed)
    with UNKNOWN_CODES:
        pass
    return render_template("public/unknown.html", typed=typed[:60]), 404


@views.get("/recalls")
@public
def recall_list() -> Any:
    form = RecallSearchForm(request.args)
    wished = form.wished
    page = published_recalls(**wished, page=request.args.get("page", 1, type=int))
    return render_template(
        "public/recalls.html", page=page, form=form, levels=LEVELS, statuses=STATUSES, kinds=KINDS,
        lots=lots_listed(page.items, LOTS_IN_LIST), check_form=CheckForm(formdata=None),
        filters={name: value for name, value in request.args.items() if name in {"q", "state", "level"} and value},
    )  # fmt: skip


@views.get("/recalls/<number>")
@public
def recall(number: str) -> Any:
    row = public_recall(number)
    return render_template(
        "public/recall.html", recall=row, lots=lots_listed([row])[row.id], levels=LEVELS, statuses=STATUSES, kinds=KINDS,
        notice_types=NOTICE_TYPES,
    )  # fmt: skip


@views.get("/recalls/<number>/<int:sequence>.pdf")
@public
def recall_notice(number: str, sequence: int) -> Any:
    """A notice as it is printed and sealed."""
    row = public_recall(number)
    notice = next((notice for notice in row.notices if notice.sequence == sequence), None)
    if notice is None:
        raise NotFound
    return _pdf(papers.notice_pdf(row, notice, lots_listed([row])[row.id], _page_of(row)), notice.number)


@views.get("/recalls/<number>/poster.pdf")
@public
def recall_poster(number: str) -> Any:
    """A sheet for shops to hang up."""
    row = public_recall(number)
    return _pdf(
        papers.poster_pdf(row, lots_listed([row], papers.POSTER_LOTS)[row.id], _page_of(row)), f"{row.number}-poster"
    )


def _page_of(row: Recall) -> str:
    return url_for("public.recall", number=row.number, _external=True)


def _pdf(data: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.pdf"', "Cache-Control": "no-cache"}
    return Response(data, mimetype="application/pdf", headers=headers)


@views.get("/recalls.atom")
@public
def recall_atom() -> Any:
    rows = newest_recalls(feeds.MOST)
    data = feeds.atom(rows, lots_listed(rows), _home(), str(_("召回公告")))
    return Response(data, mimetype="application/atom+xml", headers={"Cache-Control": "no-cache"})


@views.get("/recalls.json")
@public
def recall_json() -> Any:
    rows = newest_recalls(feeds.MOST)
    response = jsonify(feeds.enforcement(rows, lots_listed(rows), _home()))
    response.headers.update({"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"})
    return response


def _home() -> str:
    return str(current_app.config["SETTINGS"].public_url).rstrip("/")


@views.get("/recalls/check")
@public
@limiter.limit("60/minute")
def recall_check() -> Any:
    """Whether what someone has in hand is under recall."""
    form = CheckForm(request.args)
    form.validate()
    code, lot = (form.code.data or "").strip(), (form.lot.data or "").strip()
    if code:
        try:
            return redirect(url_for("public.trace", code=code_from_scan(code)))
        except InvalidCode:
            form.refuse("code", str(_("这不是完整的追溯码。请核对二维码下面的 13 位字符。")))
    found = lots_with_number(lot) if lot else []
    page = render_template(
        "public/recall_check.html",
        form=form,
        lot=lot,
        found=[(row, recall_in_force(row)) for row in found],
        levels=LEVELS,
    )
    return page, status_of(form)


@views.get("/media/<string(length=32):name>.webp")
@views.get("/media/<string(length=32):name>-<any(small):size>.webp")
@public
def photo(name: str, size: str = "") -> Any:
    row = photo_by_name(name)
    if row is None:
        raise NotFound
    try:
        file = open_photo(row, thumbnail=bool(size))
    except MediaNotFound as error:
        raise NotFound from error
    response = send_file(file, mimetype=CONTENT_TYPE, max_age=PHOTO_AGE)
    response.headers["Cache-Control"] = f"public, max-age={PHOTO_AGE}, immutable"
    return response


@views.get("/media/<string(length=32):name>.pdf")
@public
def document(name: str) -> Any:
    """A test report or certificate as it was handed in, for whoever was given its address."""
    row = document_by_name(name)
    if row is None or row.kind != "pdf":
        raise NotFound
    try:
        file = open_document(row)
    except MediaNotFound as error:
        raise NotFound from error
    # As a download: browsers show no PDF under a sandbox policy.
    response = send_file(
        file, mimetype=DOCUMENT_TYPES["pdf"], as_attachment=True, download_name=row.file_name, max_age=PHOTO_AGE
    )
    response.headers["Cache-Control"] = f"public, max-age={PHOTO_AGE}, immutable"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


@views.get("/favicon.ico")
@public
def favicon() -> Any:
    return send_file(STATIC / "icon.svg", mimetype="image/svg+xml", max_age=86_400)


@views.get("/robots.txt")
@public
def robots() -> Any:
    return Response("User-agent: *\nAllow: /$\nAllow: /recalls\nDisallow: /\n", mimetype="text/plain")


@views.get("/healthz")
@public
def health() -> Any:
    """For a load balancer: whether the database answers."""
    db.session.execute(db.text("SELECT 1"))
    return {"status": "ok"}
