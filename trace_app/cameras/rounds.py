"""Rounds: all cameras that are due are looked through, many at a time, so that dead ones keep nobody waiting."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from flask import Flask, current_app
from sqlalchemy.orm import undefer

from media_store import StoreUnavailable
from media_store.confined import NoTurn
from media_store.glimpses import AT_ONCE, Glimpse
from trace_app.cameras import watching
from trace_app.cameras.addresses import unseal
from trace_app.cameras.looking import NothingSeen, look
from trace_app.cameras.models import Camera, CameraAlarm, CameraFailure, CameraSource, CameraTrouble
from trace_app.cameras.service import (
    bytes_kept,
    keep_picture,
    latest_pictures,
    make_room,
    open_alarms,
    pictures_of_days,
    pictures_today,
    sort_days,
)
from trace_app.cameras.texts import message_of_end, message_of_trouble
from trace_app.clock import today
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.extensions import db, jobs
from trace_app.media.models import CameraPicture
from trace_app.media.service import media_store
from trace_app.messages.service import tell
from trace_app.settings import settings

QUEUE = "cameras"
REMEMBERED_DAYS = 14
"""Days before today of which the pictures say how a camera usually sees."""
MOST_A_DAY = 300
"""Pictures that are kept of a camera in a day: one in five minutes, and some that were asked for."""
FULL, WARNED = 0.85, 0.75
"""Parts of a camera's room: from the first the oldest pictures go, from the second its page says so."""
log = structlog.get_logger()


class _Due(NamedTuple):
    camera_id: int
    source: CameraSource
    address: str | None
    interval: timedelta


@jobs.every_minute
def begin_round() -> None:
    """Have the cameras looked through that are due, unless a round is waiting already."""
    any_due = db.session.scalar(db.select(Camera.id).where(Camera.active, Camera.due_at <= utc_now()).limit(1))
    db.session.rollback()
    if any_due is not None and not jobs.waiting(QUEUE):
        jobs.enqueue(look_round)


@jobs.task(queue=QUEUE)
def look_round() -> None:
    """Look through every camera that is due. What is seen is written down as it comes."""
    due = _taken_up()
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        looks = {threads.submit(_look, app, one): one for one in due}
        for done in as_completed(looks):
            one, outcome = looks[done], done.result()
            if outcome is not None:
                try:
                    _write_down(one.camera_id, outcome)
                except Exception as error:
                    db.session.rollback()
                    log.exception("what a camera showed was not written down", camera=one.camera_id, error=str(error))
    _tidy([one.camera_id for one in due])


def _taken_up() -> list[_Due]:
    """The cameras that are due, which no other round takes up then."""
    with transaction():
        query = (
            db.select(Camera)
            .options(undefer(Camera.sealed_address))
            .where(Camera.active, Camera.due_at <= utc_now())
            .order_by(Camera.id)
            .with_for_update(skip_locked=True)
        )
        due = []
        for camera in db.session.scalars(query):
            interval = timedelta(minutes=camera.every_minutes)
            camera.due_at = max(camera.due_at + interval, utc_now() + interval / 2)
            due.append(_Due(camera.id, camera.source, unseal(camera.sealed_address), interval))
    return due


def _look(app: Flask, one: _Due) -> Glimpse | CameraFailure | None:
    """What one camera shows, or why it shows nothing; None where there was no turn."""
    if one.address is None:
        return CameraFailure.REFUSED
    with app.app_context():
        try:
            return look(one.source, one.address)
        except NothingSeen as nothing:
            return nothing.failure
        except NoTurn:
            return None
        except Exception as error:
            # Whatever one camera sends, the others are looked through.
            log.warning("a look through a camera failed", camera=one.camera_id, error=type(error).__name__)
            return CameraFailure.NO_PICTURE


def _write_down(camera_id: int, outcome: Glimpse | CameraFailure) -> None:
    now = utc_now()
    has_room = pictures_today(camera_id) < MOST_A_DAY
    db.session.rollback()
    try:
        picture = keep_picture(camera_id, outcome, now) if isinstance(outcome, Glimpse) and has_room else None
    except StoreUnavailable:
        log.warning("a camera's picture was not kept: the store is away", camera=camera_id)
        return
    with transaction():
        camera = db.session.get(Camera, camera_id, with_for_update=True)
        if camera is None:
            return
        if picture is not None:
            db.session.add(picture)
        if isinstance(outcome, Glimpse):
            camera.seen_at, camera.misses, camera.failure = now, 0, None
            db.session.flush()
        else:
            camera.misses, camera.failure = camera.misses + 1, outcome
        judge(camera, now)


def judge(camera: Camera, now: datetime) -> None:
    """Tell the owner of what has begun and what is over, each once."""
    known = {alarm.trouble: alarm for alarm in open_alarms(camera)}
    if camera.misses:
        if camera.misses >= watching.MISSES and CameraTrouble.SILENT not in known:
            # From the first look in vain.
            since = now - timedelta(minutes=(camera.misses - 1) * camera.every_minutes)
            _begin(camera, CameraTrouble.SILENT, max(since, camera.created_at))
        return
    if silent := known.pop(CameraTrouble.SILENT, None):
        _end(silent, now)
    greys = undefer(CameraPicture.grey)
    latest = [_measures(one) for one in reversed(latest_pictures(camera, watching.MOST_PICTURES, greys))]
    since_day = today() - timedelta(days=REMEMBERED_DAYS)
    usual = [_measures(one) for one in pictures_of_days(camera, since_day, greys) if one.day < today()]
    shown = watching.first_seen(latest, usual)
    for trouble, since in shown.items():
        if trouble not in known:
            _begin(camera, trouble, since)
    for trouble, alarm in known.items():
        if trouble not in shown and not watching.still_shown(latest, usual, trouble):
            _end(alarm, now)


def _begin(camera: Camera, trouble: CameraTrouble, since: datetime) -> None:
    alarm = CameraAlarm(camera_id=camera.id, trouble=trouble, since=since)
    db.session.add(alarm)
    db.session.flush()
    tell(camera.site.producer, message_of_trouble(alarm))


def _end(alarm: CameraAlarm, until: datetime) -> None:
    alarm.until = max(until, alarm.since)
    tell(alarm.camera.site.producer, message_of_end(alarm, until))


def _measures(picture: CameraPicture) -> watching.Watched:
    return watching.Watched(
        picture.taken_at,
        picture.brightness,
        picture.contrast,
        picture.sharpness,
        picture.one_colour,
        picture.grey,
    )


def _tidy(camera_ids: Iterable[int]) -> None:
    """Leave one picture of each day that is over, and keep each camera within its room."""
    room = settings().camera_quota_mb << 20
    for camera_id in camera_ids:
        with transaction():
            camera = db.session.get(Camera, camera_id, with_for_update=True)
            if camera is None or camera.sorted_until == today():
                continue
            keys = sort_days(camera_id)
            if bytes_kept(camera) > FULL * room:
                keys += make_room(camera, round(FULL * room))
        for key in keys:
            media_store().delete(key)
