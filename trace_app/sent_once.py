"""A form that makes something makes it once, however often it is sent: by two taps, or after going back.

Each form carries a key (``form_key``, in the macro of all forms). A view that makes something says so by
`makes_once`. The first sending is noted in the transaction that makes the thing; the same form, with the same words in
it, is then led to where the first was led. With other words it is another form: who goes back and changes something
means a second thing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from flask import Flask, Response, current_app, flash, g, has_request_context, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.db.sent_forms import answer_to, claim, forget_old, keep_answer
from trace_app.db.session import first_of_all, transaction
from trace_app.extensions import jobs
from trace_app.security_headers import keep_for_going_back

View = TypeVar("View", bound=Callable[..., object])
KEY = "form_key"
NOT_TYPED = {KEY, "csrf_token", "form_for"}


class SentBefore(Exception):
    """Another request has sent the form, and done what it asks for."""


def makes_once(view: View) -> View:
    """What the view makes of a form is made once."""
    view.makes_once = True  # type: ignore[attr-defined]
    return view


def form_key() -> str:
    """A key for a form that is shown. Back is to bring back what was typed: the browser may keep the page."""
    keep_for_going_back()
    return uuid4().hex


def init_app(app: Flask) -> None:
    """Set it up: behind what refuses a visitor and a form without its token."""
    app.before_request(_look)
    app.after_request(_keep)
    app.register_error_handler(SentBefore, lambda _error: _led_to_the_first())
    app.jinja_env.globals[KEY] = form_key
    if _claim not in first_of_all:
        first_of_all.append(_claim)


def _look() -> ResponseReturnValue | None:
    view = current_app.view_functions.get(request.endpoint or "")
    if request.method != "POST" or not getattr(view, "makes_once", False) or not request.form.get(KEY):
        return None
    g.sent_form = (_digest(), uuid4().hex)
    return _led_to_the_first() if answer_to(g.sent_form[0]) is not None else None


def _digest() -> str:
    """What tells one form, as it was filled in by someone, from all others."""
    user = g.get("_login_user")
    parts = [request.path, request.form[KEY], str(getattr(user, "id", ""))]
    parts += [f"{name}={value}" for name, value in request.form.items(multi=True) if name not in NOT_TYPED]
    for name, file in request.files.items(multi=True):
        size = file.stream.seek(0, 2)
        file.stream.seek(0)
        parts.append(f"{name}={file.filename}:{size}")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _led_to_the_first() -> ResponseReturnValue:
    answer = answer_to(g.pop("sent_form")[0])
    flash(_("这张表已经提交过，没有重复登记。"))
    return redirect(answer or request.path)


def _claim() -> None:
    """:raises SentBefore:"""
    if has_request_context() and (sent := g.get("sent_form")) is not None and not claim(*sent):
        raise SentBefore


def _keep(response: Response) -> Response:
    sent = g.pop("sent_form", None)
    if sent is not None and response.status_code in (302, 303) and answer_to(sent[0]) is not None:
        where = urlsplit(response.location)
        with transaction():
            keep_answer(sent[0], sent[1], where.path + (f"?{where.query}" if where.query else ""))
    return response


@jobs.every_minute
def forget_sent_forms() -> None:
    """Let go the forms of long ago."""
    with transaction():
        forget_old()
