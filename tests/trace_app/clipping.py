"""Sends clips as the page does: by tus, part by part."""

from __future__ import annotations

import base64
from typing import Any

from flask.testing import FlaskClient

from tests.world import World
from trace_app.extensions import db
from trace_app.media.models import Clip

UPLOADS = "/clips/uploads"
PART_TYPE = "application/offset+octet-stream"
TUS = {"Tus-Resumable": "1.0.0", "Accept": "application/json"}


def metadata(**told: object) -> str:
    return ",".join(f"{key} {base64.b64encode(str(value).encode()).decode()}" for key, value in told.items())


def begin(client: FlaskClient, record_id: object, length: object, name: str = "VID_1.mp4", **headers: str) -> Any:
    told = {"Upload-Length": str(length), "Upload-Metadata": metadata(filename=name, record=record_id)}
    # As bytes: what is a form gets a token in a field of its own.
    return client.post(UPLOADS, data=b"", headers={**TUS, "X-CSRFToken": client.token(), **told, **headers})


def patch(client: FlaskClient, place: str, offset: object, data: bytes = b"", **more: Any) -> Any:
    headers = {**TUS, "X-CSRFToken": client.token(), "Upload-Offset": str(offset), **more.pop("headers", {})}
    headers.setdefault("Content-Type", PART_TYPE)
    return client.patch(place, data=data or None, headers=headers, **more)


def offset_of(client: FlaskClient, place: str) -> int:
    answer = client.head(place, headers=TUS)
    assert answer.status_code == 200, answer.status_code
    assert answer.headers["Cache-Control"] == "no-store"
    return int(answer.headers["Upload-Offset"])


def send(client: FlaskClient, record_id: int, data: bytes, name: str = "VID_1.mp4", size: int = 9_999) -> str:
    """Send a clip in parts, and return the upload's address."""
    begun = begin(client, record_id, len(data), name)
    assert begun.status_code == 201, begun.text
    place: str = begun.location
    for start in range(0, len(data), size):
        answer = patch(client, place, start, data[start : start + size])
        assert answer.status_code == 204, answer.text
        assert int(answer.headers["Upload-Offset"]) == min(start + size, len(data))
    return place


def clips(world: World) -> list[Clip]:
    """All clips, as they are in the database."""
    with world.app.app_context():
        rows = list(db.session.scalars(db.select(Clip).order_by(Clip.id)))
        for row in rows:
            db.session.expunge(row)
        return rows


def only_clip(world: World) -> Clip:
    [clip] = clips(world)
    return clip
