"""The OpenAPI 3.1 document and the page to read it on."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import Any

import flask_openapi3_swagger
from flask import Blueprint, Response, current_app, jsonify, render_template, send_from_directory
from flask_babel import lazy_gettext as _
from flask_openapi3.models.info import Info
from pydantic import ValidationError

from trace_app.accounts.access import public
from trace_app.api.schemas import ProblemDocument
from trace_app.error_pages import problem_document

SWAGGER_UI = Path(str(importlib.resources.files(flask_openapi3_swagger))) / "templates" / "swagger"
DESCRIPTION = """\
Batches, records, labels and recalls of the Qujing traceability platform.

Make a token on your account page and send it as `Authorization: Bearer …`. A token may do what its user may do,
within its scopes: `read`, `records` (batches and records), `labels` (runs, files, codes), `recalls`. It expires.
Errors are problem documents (RFC 9457, `application/problem+json`): `title` says what happened and what to do,
in the language of `Accept-Language`; `code` is stable; `errors` has messages by field.
Quantities and doses are decimal numbers, sent as strings so that nothing is rounded. Days are ISO 8601.
"""


def _refuse(error: ValidationError) -> Response:
    errors: dict[str, list[str]] = {}
    for fault in error.errors():
        errors.setdefault(".".join(str(part) for part in fault["loc"]) or "body", []).append(fault["msg"])
    return problem_document(
        422, str(_("内容不符合要求。请按 errors 中的提示修改。")), code="invalid-input", errors=errors
    )


OPTIONS: dict[str, Any] = {
    "info": Info(title="Qujing traceability API", version="1", description=DESCRIPTION),
    "security_schemes": {"token": {"type": "http", "scheme": "bearer"}},
    "validation_error_status": 422,
    "validation_error_model": ProblemDocument,
    "validation_error_callback": _refuse,
    "doc_ui": False,
}

views = Blueprint("api_document", __name__, url_prefix="/api/v1")


@views.get("/openapi.json")
@public
def openapi() -> Response:
    return jsonify(current_app.api_doc)  # type: ignore[attr-defined]


@views.get("/docs")
@public
def docs() -> str:
    return render_template("api/docs.html")


@views.get("/docs/<path:name>")
@public
def swagger_ui(name: str) -> Response:
    return send_from_directory(SWAGGER_UI, name)
