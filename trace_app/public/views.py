"""Home, trace pages, recall notices and photos, for everyone."""

from __future__ import annotations

import re

from flask import Blueprint, Response, jsonify, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from media_store import MediaNotFound, StoreUnavailable
from media_store.photos import CONTENT_TYPE
from qr.codes import InvalidCode, normalise_code
from qr.reading import UnreadablePicture
from trace_app.accounts.access import NotFound, public
from trace_app.attachments import attachment
from trace_app.batches.models import Batch
from trace_app.body_limits import takes_uploads
from trace_app.certificates.commitments import commitment_numbered
from trace_app.db.session import transaction
from trace_app.extensions import csrf, db, limiter
from trace_app.feedback.service import ticket_called
from trace_app.forms import plain_digits
from trace_app.labels.forms import PictureForm
from trace_app.labels.models import LabelLevel
from trace_app.labels.packing import code_from_scan
from trace_app.labels.pictures import codes_in_picture
from trace_app.labels.pins import check_pin
from trace_app.labels.service import ScannedLabel, label_of_code
from trace_app.media.service import DOCUMENT_TYPES, document_by_name, open_document, open_photo, photo_by_name
from trace_app.public.pages import PinAsked, commitment_page, trace_page, unknown_page
from trace_app.public.resolver.answers import answer_link
from trace_app.public.resolver.digital_link import BadLink, decompress
from trace_app.recall_tasks.turnings import open_text
from trace_app.recalls import feeds
from trace_app.recalls.area_of_sale import areas_of_sale
from trace_app.recalls.forms import CheckForm, RecallSearchForm
from trace_app.recalls.models import Recall, RecallStatus
from trace_app.recalls.published import (
    lots_listed,
    lots_taken_out,
    lots_with_number,
    newest_recalls,
    public_recall,
    published_recalls,
    recall_in_force,
    recalled_lots_near,
)
from trace_app.recalls.statements import DUTIES, producers_stated
from trace_app.scanning.layer import FOR_ALL_LABELS, LabelToRender
from trace_app.security_headers import allow_webassembly
from trace_app.settings import address_of, settings
from trace_app.templating import CODE_READER, STATIC, status_of
from trace_app.whole_numbers import asked_page

views = Blueprint("public", __name__)

PHOTO_AGE = 31_536_000
MOST_OF_A_NUMBER = 100
"""Characters of what was typed as a lot's number that are looked at."""
LOTS_IN_LIST = 8
"""How many lots of each notice the list of all notices names."""


@views.get("/")
@public
def home() -> ResponseReturnValue:
    return _home_page(PictureForm())


@views.get("/find")
@public
@limiter.limit("60/minute")
def find() -> ResponseReturnValue:
    """A code as it was typed leads to its page; a lot number to the recall check, a ticket's number to the ticket."""
    typed = request.args.get("code", "").strip()
    if not typed:
        return redirect(url_for("public.home"))
    try:
        code = code_from_scan(typed)
    except InvalidCode:
        return _something_else(typed) or unknown_page(typed)
    try:
        label_of_code(code)
    except InvalidCode:
        # A lot's number may have as many characters as a code.
        return _something_else(typed) or redirect(url_for("public.trace", code=code))
    return redirect(url_for("public.trace", code=code))


def _something_else(typed: str) -> ResponseReturnValue | None:
    """Where what was typed leads to if it is a lot's number, nearly a recalled lot's, or a ticket's."""
    number = typed[:MOST_OF_A_NUMBER]
    if lots_with_number(number) or recalled_lots_near(number):
        return redirect(url_for("public.recall_check", lot=number))
    if (ticket := ticket_called(typed)) is not None:
        return redirect(url_for("feedback.ticket", ticket=ticket))
    return None


@views.post("/find")
@public
@limiter.limit("20/minute")
@takes_uploads
def find_in_picture() -> ResponseReturnValue:
    """A photo of a label leads to its page."""
    form = PictureForm()
    data = form.picture.data.read() if form.validate() and form.picture.data else b""
    try:
        texts = codes_in_picture(data)
    except UnreadablePicture:
        problem = _("请选择一张标签的照片（JPEG、PNG 或 WebP）。")
        return _home_page(form, problem), 422
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
    return _home_page(form, problem), 422


def _home_page(form: PictureForm, problem: str | None = None) -> str:
    allow_webassembly()
    reader = CODE_READER.exists()
    return render_template("public/home.html", form=form, typed="", picture_problem=problem, reader=reader)


@views.get("/<code>")
@public
def trace(code: str) -> ResponseReturnValue:
    """The page that a scan opens."""
    known: LabelToRender | None = request.environ.get(FOR_ALL_LABELS)
    if known is not None:
        batch_id, level, has_pin = known.page
        label = ScannedLabel(code, batch_id, known.run_id, known.place, LabelLevel(level), has_pin, void=False, link="")
        page = trace_page(label)
        # With a rollback, which is how reading ends elsewhere, psycopg forgets the statements that it has prepared, and
        # PostgreSQL takes ten times as long to plan these as to answer them.
        db.session.commit()
        return page
    try:
        return trace_page(label_of_code(code))
    except InvalidCode:
        pass
    try:
        link = decompress(code)
    except BadLink:
        return unknown_page(code)
    return answer_link(link, compressed=True)


@views.get("/<code>/")
@public
def trace_with_slash(code: str) -> ResponseReturnValue:
    """An address that somebody put a slash behind leads to the page all the same."""
    try:
        return redirect(url_for("public.trace", code=normalise_code(code)))
    except InvalidCode as error:
        raise NotFound from error


@views.post("/<code>/pin")
@csrf.exempt
@public
@limiter.limit("30/minute")
def pin(code: str) -> ResponseReturnValue:
    """Check the PIN under the scratch film.

    Exempt from CSRF: the page that asks is the same for everyone, and the answer is for whoever asks.
    """
    try:
        label = label_of_code(code)
    except InvalidCode:
        return unknown_page(code)
    if not label.has_pin or label.void:
        return redirect(url_for("public.trace", code=label.code))
    typed = plain_digits(request.form.get("pin", ""))[:20]
    if not re.fullmatch(r"\d{6}", typed, re.ASCII):
        return trace_page(label, PinAsked(problem=_("验真码是涂层下的 6 位数字，请核对后再填。"), typed=typed))
    with transaction():
        answer = check_pin(label, typed)
    return trace_page(label, PinAsked(answer, typed=typed if answer.outcome != "right" else ""))


@views.get("/recalls")
@public
def recall_list() -> ResponseReturnValue:
    form = RecallSearchForm(request.args)
    wished = form.wished
    page = published_recalls(**wished, page=asked_page())
    return render_template(
        "public/recalls.html",
        page=page,
        form=form,
        lots=lots_listed(page.items, LOTS_IN_LIST),
        check_form=CheckForm(formdata=None),
        filters={name: value for name, value in request.args.items() if name in {"q", "state", "level"} and value},
    )


@views.get("/recalls/<number>")
@public
def recall(number: str) -> ResponseReturnValue:
    row = public_recall(number)
    return render_template(
        "public/recall.html",
        recall=row,
        lots=lots_listed([row])[row.id],
        area=areas_of_sale([row])[row.id],
        producers=producers_stated(row.notice),
        duties=DUTIES,
        taken_out=lots_taken_out([row]),
    )


@views.get("/recalls/<number>/<int:sequence>.pdf")
@public
def recall_notice(number: str, sequence: int) -> ResponseReturnValue:
    """A notice as it is printed and sealed."""
    from trace_app.recalls import papers

    row = public_recall(number)
    notice = next((notice for notice in row.notices if notice.sequence == sequence), None)
    if notice is None:
        raise NotFound
    taken_out = lots_taken_out([row]).get((row.id, sequence), [])
    lots, left = lots_listed([row])[row.id], open_text(notice.still_open)
    return _pdf(papers.notice_pdf(row, notice, lots, _page_of(row), taken_out, left), notice.number)


@views.get("/recalls/<number>/poster.pdf")
@public
def recall_poster(number: str) -> ResponseReturnValue:
    """A sheet for shops to hang up."""
    from trace_app.recalls.poster import POSTER_LOTS, poster_pdf

    row = public_recall(number)
    if row.status is RecallStatus.WITHDRAWN:
        # It would tell people not to eat what is free.
        raise NotFound
    lots = lots_listed([row], POSTER_LOTS)[row.id]
    area = areas_of_sale([row])[row.id]
    return _pdf(poster_pdf(row, lots, area, _page_of(row), _photo_of(lots)), f"{row.number}-poster")


def _photo_of(lots: list[Batch]) -> bytes | None:
    """The first photo of what is recalled, where there is one and its file can be had: the poster matters more."""
    photo = next((photo for lot in lots for photo in lot.product.photos), None)
    if photo is None:
        return None
    try:
        with open_photo(photo) as file:
            return file.read()
    except (MediaNotFound, StoreUnavailable):
        return None


def _page_of(row: Recall) -> str:
    return address_of("public.recall", number=row.number)


def _pdf(data: bytes, name: str) -> Response:
    response = attachment(data, f"{name}.pdf", "application/pdf")
    response.headers["Cache-Control"] = "no-cache"
    return response


@views.get("/commitments/<string:number>")
@public
@limiter.limit("60/minute")
def commitment(number: str) -> ResponseReturnValue:
    """A commitment certificate, for whoever scanned its code or has its number."""
    return commitment_page(commitment_numbered(number))


@views.get("/recalls.atom")
@public
def recall_atom() -> ResponseReturnValue:
    rows = newest_recalls(feeds.MOST)
    data = feeds.atom(rows, lots_listed(rows), settings().home, str(_("召回公告")))
    return Response(data, mimetype="application/atom+xml", headers={"Cache-Control": "no-cache"})


@views.get("/recalls.json")
@public
def recall_json() -> ResponseReturnValue:
    rows = newest_recalls(feeds.MOST)
    response = jsonify(feeds.enforcement(rows, lots_listed(rows), settings().home))
    response.headers.update({"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"})
    return response


@views.get("/recalls/check")
@public
@limiter.limit("60/minute")
def recall_check() -> ResponseReturnValue:
    """Whether what someone has in hand is under recall."""
    form = CheckForm(request.args)
    form.validate()
    code, lot = (form.code.data or "").strip(), (form.lot.data or "").strip()
    # Either box takes either number: who holds recalled goods has typed the right thing.
    if (label := _label_typed(code) or _label_typed(lot)) is not None:
        return redirect(url_for("public.trace", code=label))
    if not code and not lot and {"code", "lot"} & request.args.keys():
        form.refuse("code", str(_("请填写追溯码或批次号。")))
    if code and not lot:
        lot = code
    found = lots_with_number(lot) if lot else []
    offered = recalled_lots_near(lot) if lot and not found else []
    if code and not found and not offered:
        form.refuse("code", str(_("这不是完整的追溯码。请核对二维码下面的 13 位字符。")))
    page = render_template(
        "public/recall_check.html",
        form=form,
        lot=lot,
        found=[(row, recall_in_force(row)) for row in found],
        offered=offered,
    )
    return page, status_of(form)


def _label_typed(text: str) -> str | None:
    """The code that was typed, if there is a label with it."""
    try:
        return label_of_code(code_from_scan(text)).code if text else None
    except InvalidCode:
        return None


@views.get("/media/<string(length=32):name>.webp")
@views.get("/media/<string(length=32):name>-<any(small, middle):size>.webp")
@public
def photo(name: str, size: str = "") -> ResponseReturnValue:
    row = photo_by_name(name)
    if row is None:
        raise NotFound
    try:
        file = open_photo(row, size)
    except MediaNotFound as error:
        raise NotFound from error
    response = send_file(file, mimetype=CONTENT_TYPE, max_age=PHOTO_AGE)
    response.headers["Cache-Control"] = f"public, max-age={PHOTO_AGE}, immutable"
    return response


@views.get("/media/<string(length=32):name>.pdf")
@public
def document(name: str) -> ResponseReturnValue:
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
def favicon() -> ResponseReturnValue:
    return send_file(STATIC / "icon.svg", mimetype="image/svg+xml", max_age=86_400)


@views.get("/robots.txt")
@public
def robots() -> ResponseReturnValue:
    return Response("User-agent: *\nAllow: /$\nAllow: /recalls\nDisallow: /\n", mimetype="text/plain")
