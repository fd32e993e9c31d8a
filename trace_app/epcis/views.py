"""The chain of a lot to take away."""

from __future__ import annotations

import json

from flask import Blueprint
from flask.typing import ResponseReturnValue

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.attachments import attachment
from trace_app.batches import service as batches
from trace_app.epcis.chain import chain_of
from trace_app.epcis.document import document_of
from trace_app.media.service import DOCUMENT_TYPES
from trace_app.settings import settings

views = Blueprint("epcis", __name__)


@views.get("/batches/<int:batch_id>/chain.xlsx")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def spreadsheet(batch_id: int) -> ResponseReturnValue:
    """The 24-hour file."""
    from trace_app.epcis.spreadsheet import spreadsheet_of

    lot = batches.batch_for(the_user(), batch_id)
    return attachment(spreadsheet_of(chain_of(the_user(), lot)), f"{lot.lot_number}-24h.xlsx", DOCUMENT_TYPES["xlsx"])


@views.get("/batches/<int:batch_id>/epcis.jsonld")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def document(batch_id: int) -> ResponseReturnValue:
    lot = batches.batch_for(the_user(), batch_id)
    home = settings().home
    data = json.dumps(document_of(chain_of(the_user(), lot), home), ensure_ascii=False, indent=1)
    return attachment(data, f"{lot.lot_number}-epcis.jsonld", "application/ld+json")
