"""What templates can say: days and moments, names in the reader's language, numbers, files by content."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import rcssmin
from flask import Blueprint, Flask, Response, abort, current_app, request, url_for
from flask_babel import format_date
from jinja2 import pass_context
from jinja2.ext import Extension
from jinja2.runtime import Context
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from qr.codes import format_code
from trace_app.accounts.access import acting_user, public
from trace_app.accounts.service import place_name
from trace_app.clock import local
from trace_app.forms import Form, plain_decimal
from trace_app.language import bracketed, language, named
from trace_app.navigation import current_of, menu_of
from trace_app.settings import absolute, address_of
from trace_app.units import unit_name
from trace_app.values import Json

STATIC = Path(__file__).parent / "static"
CODE_READER = STATIC / "vendor" / "zxing-reader.js"
"""What reads codes where the browser has no reader of its own; it comes with the packages of the pages."""


sources = Blueprint("sources", __name__)
"""Style sheets and scripts, where serving them takes more than sending a file."""


@sources.get("/static/<any(public, app):name>.css")
@public
def style_sheet(name: str) -> Response:
    """A style sheet, made small; its address has the digest of its content (`asset`), so it never changes."""
    return _for_ever(Response(small_style(f"{name}.css"), mimetype="text/css"))


@sources.get("/static/js/<version>/<name>.js")
@public
def module(version: str, name: str) -> Response:
    """A module of the scripts. Modules name one another by relative addresses, so all share one version in theirs.

    A page that was opened before the platform was renewed gets what there is now, and does not keep it.
    """
    if name not in scripts():
        abort(404)
    response = Response(scripts()[name], mimetype="text/javascript")
    return _for_ever(response) if version == scripts_version() else response


def _for_ever(response: Response) -> Response:
    """Let browsers keep an answer for as long as static files: the address changes with the content."""
    response.cache_control.public = True
    response.cache_control.max_age = current_app.get_send_file_max_age(None)
    response.add_etag()
    response.make_conditional(request)
    return response


class WithoutIndents(Extension):
    """Takes the indents out of templates as they are read: they are for those who read the source, and not sent."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return re.sub(r"^[ \t]+", "", source, flags=re.MULTILINE)


def init_app(app: Flask) -> None:
    app.jinja_env.trim_blocks = True
    app.jinja_env.add_extension(WithoutIndents)
    app.register_blueprint(sources)
    app.jinja_env.filters.update(
        day=day,
        short_day=short_day,
        moment=moment,
        named=named,
        number=number,
        unit=unit_name,
        code=format_code,
        local_day=lambda value: local(value).date(),
        in_script=in_script,
        place=lambda division: place_name(division, language()),
    )
    app.jinja_env.tests.update(
        moment_value=lambda value: isinstance(value, datetime),
        day_value=lambda value: isinstance(value, date),
        number_value=lambda value: isinstance(value, int | Decimal),
    )
    app.jinja_env.globals.update(
        absolute=absolute,
        address_of=address_of,
        asset=asset,
        script=script,
        language=language,
        acting_user=acting_user,
        menu_of=menu_of,
        current_of=current_of,
        other_language_url=other_language_url,
        colon=lambda: "：" if language() == "zh" else ": ",
        bracketed=bracketed,
        html_language=lambda: "zh-CN" if language() == "zh" else "en",
    )


def register_words(views: Blueprint, **words: Mapping[Any, object]) -> None:
    """Make the words of a feature's enumerations filters of templates: ``recall.level|recall_level``."""
    for name, mapping in words.items():
        views.add_app_template_filter(_word_in(mapping), name)


def _word_in(mapping: Mapping[Any, object]) -> Callable[[Context, object], object]:
    @pass_context
    def word(_context: Context, value: object) -> object:
        """The context keeps Jinja from looking up the word of a constant once, in one language, for good."""
        return mapping[value]

    return word


def day(value: date | None) -> Markup:
    """A day in full: 2026年9月15日, or 15 September 2026."""
    if value is None:
        return Markup("—")
    text = format_date(value, "yyyy年M月d日" if language() == "zh" else "d MMMM yyyy", rebase=False)
    return _time(value, text)


def short_day(value: date | None) -> Markup:
    """A day in figures, for columns and timelines."""
    return _time(value, value.isoformat()) if value else Markup("—")


def moment(value: datetime | None) -> Markup:
    """A moment on the clocks of Qujing."""
    if value is None:
        return Markup("—")
    return _time(value, local(value).strftime("%Y-%m-%d %H:%M"))


def _time(value: date | datetime, text: str) -> Markup:
    """:param text: of figures and names of months alone, in which nothing needs to be escaped."""
    return Markup(f'<time datetime="{value.isoformat()}">{text}</time>')  # noqa: S704


def number(value: Decimal | float) -> str:
    """A quantity with thousands apart."""
    if isinstance(value, Decimal):
        whole, _, rest = plain_decimal(value).partition(".")
        return f"{int(whole):,}" + (f".{rest}" if rest else "")
    return f"{value:,}"


def in_script(document: Json) -> Markup:
    """Data to stand within a script element: nothing in it can end the element."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704


def status_of(form: Form) -> int:
    """200 for a form as it is asked for, 422 where it comes back with errors."""
    return 422 if form.errors else 200


def other_language_url() -> str:
    """This page in the other language; of a page that only a form leads to, the page with that form."""
    wished = "en" if language() == "zh" else "zh"
    for address in (urlsplit(request.url), urlsplit(request.referrer or "")):
        if address.netloc == request.host and _can_be_opened(address.path):
            return f"{address.path}?{urlencode({**dict(parse_qsl(address.query)), 'lang': wished})}"
    return url_for("public.home", lang=wished)


def _can_be_opened(path: str) -> bool:
    try:
        current_app.create_url_adapter(request).match(path, method="GET")  # type: ignore[union-attr]
    except HTTPException:
        return False
    return True


@cache
def asset(name: str) -> str:
    """The address of a static file, with its content's digest so that it can be cached for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    return url_for("static", filename=name, v=digest)


@cache
def scripts() -> dict[str, bytes]:
    """The modules of the scripts, by name."""
    return {path.stem: path.read_bytes() for path in sorted((STATIC / "js").glob("*.js"))}


@cache
def scripts_version() -> str:
    """The digest of all modules."""
    return hashlib.sha256(b"".join(scripts().values())).hexdigest()[:10]


def script(name: str) -> str:
    """The address of a module, for ``<script type="module">``."""
    return url_for("sources.module", version=scripts_version(), name=name)


@cache
def small_style(name: str) -> str:
    """A style sheet as it is served: without the comments and white space of its source."""
    return str(rcssmin.cssmin((STATIC / name).read_text("utf-8")))


@cache
def inline_style(name: str) -> tuple[Markup, str]:
    """A style sheet to stand in the page itself, and its SHA-256 for the content security policy."""
    text = small_style(name)
    return Markup(text), base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()  # noqa: S704
