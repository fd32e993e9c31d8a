"""What templates can say: days and moments, names in the reader's language, numbers, files by content."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, request, url_for
from flask_babel import format_date
from markupsafe import Markup

from qr.codes import format_code
from trace_app.accounts.access import acting_user
from trace_app.accounts.service import place_name
from trace_app.clock import local
from trace_app.forms import Form, plain_decimal
from trace_app.language import language, named
from trace_app.settings import absolute, address_of
from trace_app.units import unit_name

STATIC = Path(__file__).parent / "static"


def init_app(app: Flask) -> None:
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
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
    app.jinja_env.globals.update(
        absolute=absolute,
        address_of=address_of,
        asset=asset,
        language=language,
        acting_user=acting_user,
        other_language_url=other_language_url,
        html_language=lambda: "zh-CN" if language() == "zh" else "en",
    )


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


def number(value: Any) -> str:
    """A quantity with thousands apart."""
    if isinstance(value, Decimal):
        whole, _, rest = plain_decimal(value).partition(".")
        return f"{int(whole):,}" + (f".{rest}" if rest else "")
    return f"{value:,}"


def in_script(document: Any) -> Markup:
    """Data to stand within a script element: nothing in it can end the element."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704


def status_of(form: Form) -> int:
    """200 for a form as it is asked for, 422 where it comes back with errors."""
    return 422 if form.errors else 200


def other_language_url() -> str:
    """This page in the other language."""
    query = request.args.to_dict() | {"lang": "en" if language() == "zh" else "zh"}
    return url_for(request.endpoint or "public.home", **{**(request.view_args or {}), **query})


@cache
def asset(name: str) -> str:
    """The address of a static file, with its content's digest so that it can be cached for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    return url_for("static", filename=name, v=digest)


@cache
def inline_style(name: str) -> tuple[Markup, str]:
    """A style sheet to stand in the page itself, and its SHA-256 for the content security policy."""
    text = (STATIC / name).read_text("utf-8")
    return Markup(text), base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()  # noqa: S704
