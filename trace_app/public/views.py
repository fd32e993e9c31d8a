"""Home, trace pages, recall notices and photos, for everyone."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for
from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField

from media_store import MediaNotFound
from media_store.photos import CONTENT_TYPE
from qr.codes import InvalidCode, format_code, normalise_code
from qr.reading import UnreadablePicture, open_picture, read_symbols
from trace_app.accounts.access import NotFound, public
from trace_app.extensions import db, limiter
from trace_app.forms import Form
from trace_app.labels.service import label_of_code
from trace_app.media.service import open_photo, photo_by_name
from trace_app.public.scan_layer import MARK, MARKED, PRINTED_MARK
from trace_app.public.trace import trace_of_batch
from trace_app.recalls import service as recalls
from trace_app.recalls.forms import LEVELS
from trace_app.records.models import RecordType
from trace_app.records.showing import amount, record_title, stage_values
from trace_app.security_headers import allow_inline_style
from trace_app.templating import STATIC, inline_style

views = Blueprint("public", __name__)

PHOTO_AGE = 31_536_000


class PictureForm(Form):
    picture = FileField(_("标签照片"))


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
        code = normalise_code(typed)
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
            return redirect(url_for("public.trace", code=normalise_code(text)))
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
    try:
        label = label_of_code(code)
    except InvalidCode:
        return _unknown(code)
    style, digest = inline_style("public.css")
    allow_inline_style(digest)

    marked = request.environ.get(MARKED)
    page = render_template(
        "public/trace.html",
        trace=trace_of_batch(label.batch_id),
        code=MARK if marked else label.code,
        printed_code=PRINTED_MARK if marked else format_code(label.code),
        style=style,
        levels=LEVELS,
        record_title=record_title,
        amount=amount,
        stage_values=stage_values,
        types=RecordType,
    )
    # Ask again every time: the next scan must show a recall.
    return Response(page, mimetype="text/html", headers={"Cache-Control": "no-cache"})


def _unknown(typed: str) -> Any:
    return render_template("public/unknown.html", typed=typed[:60]), 404


@views.get("/recalls")
@public
def recall_list() -> Any:
    return render_template("public/recalls.html", recalls=recalls.published_recalls(), levels=LEVELS)


@views.get("/recalls/<number>")
@public
def recall(number: str) -> Any:
    return render_template("public/recall.html", recall=recalls.recall_by_number(number), levels=LEVELS)


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
