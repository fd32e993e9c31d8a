"""The chain of a lot to take away."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, current_app

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.batches import service as batches
from trace_app.epcis.chain import chain_of
from trace_app.epcis.document import document_of
from trace_app.media.service import DOCUMENT_TYPES

views = Blueprint("epcis", __name__)


@views.get("/batches/<int:batch_id>/chain.xlsx")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def spreadsheet(batch_id: int) -> Any:
    """The 24-hour file."""
    from trace_app.epcis.spreadsheet import spreadsheet_of

    lot = batches.batch_for(the_user(), batch_id)
    return _download(spreadsheet_of(chain_of(the_user(), lot)), f"{lot.lot_number}-24h.xlsx", DOCUMENT_TYPES["xlsx"])


@views.get("/batches/<int:batch_id>/epcis.jsonld")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def document(batch_id: int) -> Any:
    lot = batches.batch_for(the_user(), batch_id)
    home = str(current_app.config["SETTINGS"].public_url).rstrip("/")
    data = json.dumps(document_of(chain_of(the_user(), lot), home), ensure_ascii=False, indent=1)
    return _download(data.encode(), f"{lot.lot_number}-epcis.jsonld", "application/ld+json")


def _download(data: bytes, name: str, mimetype: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(data, mimetype=mimetype, headers=headers)
