"""A camera that saw a field from planting to harvest."""

from __future__ import annotations

import io
import math
import random
from datetime import date, datetime, time, timedelta

from PIL import Image, ImageDraw

from media_store.glimpses import look_at_photo
from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.cameras.models import CameraSource
from trace_app.cameras.service import add_camera, keep_picture
from trace_app.clock import SHANGHAI
from trace_app.db.session import transaction
from trace_app.extensions import db

SIZE = (640, 360)
PICTURES = 16
HORIZON = 130


def watch(user: User, batch: Batch) -> None:
    """A camera at a lot's site, no longer in use, with one picture of each of some days."""
    first, last = batch.started_on, batch.produced_on or batch.started_on
    with transaction():
        camera = add_camera(
            user,
            batch.site_id,
            name="东头杆子上",
            source=CameraSource.RTSP,
            address="rtsp://camera.invalid/stream1",
            every_minutes=10,
            on_trace_page=True,
        )
        camera.active = False
        camera.seen_at = _noon(last)
        camera_id = camera.id
    for number in range(PICTURES):
        share = number / (PICTURES - 1)
        day = first + timedelta(days=round((last - first).days * share))
        picture = keep_picture(camera_id, look_at_photo(field(share, number)), _noon(day))
        picture.is_of_day = True
        with transaction():
            db.session.add(picture)


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), SHANGHAI)


def field(share: float, seed: int) -> bytes:
    """A JPEG of a field of ginger: bare at the beginning, dense in summer, yellow before harvest, dug up at the end."""
    chance = random.Random(seed)  # noqa: S311
    width, height = SIZE
    bright = chance.uniform(0.82, 1.0)
    sky = tuple(round(value * bright) for value in (176, 206, 226))
    picture = Image.new("RGB", SIZE, sky)
    pen = ImageDraw.Draw(picture)
    hills = [(x, HORIZON - 34 - 18 * math.sin(x / 90)) for x in range(0, width + 1, 8)]
    pen.polygon([*hills, (width, HORIZON + 10), (0, HORIZON + 10)], fill=(104, 138, 108))
    pen.rectangle((0, HORIZON, width, height), fill=(126, 92, 62))
    grown = min(1.0, share / 0.55) if share < 0.97 else 0.05
    ripe = max(0.0, (share - 0.75) / 0.22) if share < 0.97 else 0.0
    green = (round(64 + 120 * ripe), round(128 + 26 * ripe), round(58 + 10 * ripe))
    for row in range(9):
        y = HORIZON + 16 + row * row * 2.6 + row * 6
        size = 4 + row * 1.7
        pen.line((0, y + size, width, y + size), fill=(104, 74, 50), width=max(1, row // 2 + 1))
        x = -chance.uniform(0, size)
        while x < width:
            tall = size * 3.2 * grown * chance.uniform(0.8, 1.1)
            for blade in (-0.7, 0.0, 0.7):
                pen.line((x, y, x + blade * size, y - tall), fill=green, width=max(1, round(size / 4)))
            x += size * 1.9
    pen.rectangle((40, HORIZON - 40, 84, HORIZON + 4), fill=(196, 182, 162))
    pen.polygon([(34, HORIZON - 40), (90, HORIZON - 40), (62, HORIZON - 62)], fill=(140, 84, 64))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=86)
    return out.getvalue()
