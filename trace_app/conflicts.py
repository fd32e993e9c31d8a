"""Requests whose transaction the database broke off are done again, before anything of an answer was sent."""

from __future__ import annotations

from flask import Flask, request
from flask.typing import ResponseReturnValue

from trace_app.db.session import repeated


def init_app(app: Flask) -> None:
    """Have views repeated by `repeated`: who may come in, the token of the form and the limits of the rate are looked
    at once, in front of that.
    """
    dispatch = app.dispatch_request

    def dispatch_again(*arguments: object) -> ResponseReturnValue:
        return repeated(lambda: dispatch(*arguments), _rewind)

    app.dispatch_request = dispatch_again  # type: ignore[method-assign]


def _rewind() -> None:
    """Let the files of the request be read from their beginnings; what else it brought is kept by Flask."""
    for file in vars(request._get_current_object()).get("files", {}).values():  # type: ignore[attr-defined]
        file.stream.seek(0)
