"""Photos that come part by part, by tus 1.0 (`trace_app.tus`).

Whoever sends one has told of it by its name before, which nobody else knows: a producer whose session has ended
meanwhile, and a consumer who has no account, send theirs all the same. So there is no right of a visitor's that another
page could use, and no CSRF token.
"""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from media_store.capture import Capture, moment_of, told
from trace_app import tus
from trace_app.accounts.access import public
from trace_app.arrivals import service
from trace_app.body_limits import takes_bytes
from trace_app.extensions import csrf

views = Blueprint("arrivals", __name__)


@views.post("/photo-uploads")
@csrf.exempt
@public
@tus.spoken
def begin() -> Response:
    """Say how long a photo's file is."""
    length, about = tus.number_in("Upload-Length"), tus.told_metadata()
    name = about.get("name", "")
    if length is None or not service.NAME.fullmatch(name):
        return Response(status=400)
    service.begin(name, length, _capture(about))
    return Response(status=201, headers={"Location": url_for("arrivals.part", name=name)})


@views.route("/photo-uploads/<string(length=32):name>", methods=["HEAD"])
@public
@tus.spoken
def how_far(name: str) -> Response:
    """How much of a photo has come."""
    row = service.arrival_named(name)
    headers = {"Upload-Offset": str(row.received)}
    if row.bytes is not None:
        headers["Upload-Length"] = str(row.bytes)
    return Response(status=200, headers=headers)


@views.route("/photo-uploads/<string(length=32):name>", methods=["PATCH"])
@csrf.exempt
@public
@takes_bytes(service.PART_MB << 20)
@tus.spoken
def part(name: str) -> Response:
    """The next part of a photo."""
    if request.mimetype != tus.PART_TYPE:
        return Response(status=415)
    offset, is_right = tus.number_in("Upload-Offset"), tus.told_digest()
    if offset is None or is_right is None:
        return Response(status=400)
    received = service.receive_part(name, offset, request.stream, is_right)
    return Response(status=204, headers={"Upload-Offset": str(received)})


def _capture(about: dict[str, str]) -> Capture:
    """What a browser read in a photo before it made it small."""
    return told(moment_of(about.get("taken"), about.get("offset")), _number(about, "lat"), _number(about, "lon"))


def _number(about: dict[str, str], name: str) -> float | None:
    try:
        return float(about.get(name, ""))
    except ValueError:
        return None
