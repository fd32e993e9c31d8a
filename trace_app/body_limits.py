"""How much a request may bring: 64 KB, and files alone where a view says that it takes them.

What is asked of no route, or of one that the visitor may not use, is refused before its body is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app, request
from flask_wtf.file import FileField, MultipleFileField
from wtforms.form import BaseForm

from trace_app.settings import settings

View = TypeVar("View", bound=Callable[..., object])

WITHOUT_FILES = 64 * 1024
"""Bytes of a request where no files are expected."""


class TakesNoUploads(RuntimeError):
    """A view uses a form with files and does not say so: a mistake in the program."""


def takes_uploads(view: View) -> View:
    """Files may be sent to the view, of `Settings.max_upload_mb` together."""
    view.takes_uploads = True  # type: ignore[attr-defined]
    return view


def takes_bytes(most: int) -> Callable[[View], View]:
    """A body of so many bytes may be sent to the view, which reads it as it comes."""

    def mark(view: View) -> View:
        view.takes_bytes = most  # type: ignore[attr-defined]
        return view

    return mark


def init_app(app: Flask) -> None:
    """Set the limits up: before what reads the body, such as the CSRF check, and behind what refuses a visitor."""
    app.config["MAX_CONTENT_LENGTH"] = WITHOUT_FILES
    app.before_request(_limit)


def _limit() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if _takes_uploads():
        request.max_content_length = settings().max_upload_mb * 1024 * 1024
    elif most := getattr(view, "takes_bytes", 0):
        request.max_content_length = most


def _takes_uploads() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "takes_uploads", False)


def must_be_said(form: BaseForm) -> None:
    """Let no form with files be filled in from a request of which the view does not say that it takes them.

    :raises TakesNoUploads:
    """
    if any(isinstance(field, FileField | MultipleFileField) for field in form) and not _takes_uploads():
        raise TakesNoUploads(f"{request.endpoint} needs @takes_uploads for {type(form).__name__}")
