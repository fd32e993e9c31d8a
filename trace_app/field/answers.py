"""What is answered to an entry that a phone kept: by JSON where it asks for that, by pages elsewhere."""

from __future__ import annotations

from flask import flash, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from trace_app.forms import Form


def wants_json() -> bool:
    return request.accept_mimetypes.best == "application/json"


def kept(entry_id: int, place: str, message: object) -> ResponseReturnValue:
    """An entry was written down.

    :param place: where whoever waits for the answer goes.
    """
    # Who sends what was entered earlier is not going to a page that could tell of it.
    if not wants_json() or request.headers.get("X-Watched"):
        flash(message)  # type: ignore[arg-type]  # lazy texts are texts by the time they are shown
    return (jsonify(id=entry_id, url=place), 201) if wants_json() else redirect(place)


def refused(page: str, *forms: Form) -> ResponseReturnValue:
    """The messages by field, for who sends entries later. Who waits for the answer also gets the page that says it."""
    labels = {field.name: str(field.label.text) for form in forms for field in form}
    errors = {
        labels.get(name, name): [str(message) for message in messages]
        for form in forms
        for name, messages in form.errors.items()
        if name
    }
    general = [str(message) for form in forms for message in form.form_errors]
    watched = {"page": page} if request.headers.get("X-Watched") else {}
    return jsonify(errors=errors, messages=general, **watched), 422
