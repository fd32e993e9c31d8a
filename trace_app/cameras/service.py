"""Cameras of sites: who may do what with them, and their pictures."""

from __future__ import annotations

import io
import secrets
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.sql.base import ExecutableOption

from media_store.glimpses import CONTENT_TYPE, Glimpse
from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, may_see
from trace_app.accounts.models import User
from trace_app.batches.freshness import raise_versions
from trace_app.batches.models import Batch
from trace_app.cameras.addresses import seal
from trace_app.cameras.models import Camera, CameraAlarm, CameraSource
from trace_app.catalogue.models import Site
from trace_app.catalogue.service import site_for
from trace_app.clock import local, today
from trace_app.db.base import utc_now
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.media.models import CameraPicture
from trace_app.media.service import media_store

MOST_CAMERAS = 8
"""Cameras that a site may have in use."""
STRIP = 12
"""Pictures on a trace page."""
NOON = 12


class CameraNameTaken(Problem):
    title = _("这个基地已有名为“%(name)s”的摄像头，请换一个名称。")


class TooManyCameras(Unprocessable):
    title = _("一个基地最多同时用 %(most)s 个摄像头。请先停用一个。")


class AddressMissing(Unprocessable):
    title = _("请填写地址：换了取图方式，原来的地址不能再用。")


def cameras_of(site: Site) -> list[Camera]:
    return list(db.session.scalars(db.select(Camera).filter_by(site_id=site.id).order_by(Camera.id)))


def camera_for(user: User, camera_id: int) -> Camera:
    """A camera that the user may see.

    :raises NotFound: where there is none.
    """
    camera = db.session.get(Camera, camera_id)
    if camera is None or not may_see(user, camera.producer_id, camera.site.division_code):
        raise NotFound
    return camera


def own_camera(user: User, camera_id: int) -> Camera:
    """:raises NotFound: where the user's organisation has no such camera."""
    camera = camera_for(user, camera_id)
    if camera.producer_id != user.organisation_id:
        raise NotFound
    return camera


def add_camera(
    user: User, site_id: int, *, name: str, source: CameraSource, address: str, every_minutes: int, on_trace_page: bool
) -> Camera:
    """Have a site looked at from now on.

    :raises NotFound, CameraNameTaken, TooManyCameras, AddressMissing:
    """
    site = site_for(user, site_id)
    if site.producer_id != user.organisation_id:
        raise NotFound
    present = cameras_of(site)
    if sum(one.active for one in present) >= MOST_CAMERAS:
        raise TooManyCameras(most=MOST_CAMERAS)
    if any(one.name == name for one in present):
        raise CameraNameTaken(name=name)
    if not address:
        raise AddressMissing
    camera = Camera(
        producer_id=user.organisation_id,
        site_id=site.id,
        name=name,
        source=source,
        sealed_address=seal(address),
        every_minutes=every_minutes,
        on_trace_page=on_trace_page,
        created_by_id=user.id,
    )
    db.session.add(camera)
    db.session.flush()
    audit.note(user, "add", camera, name=name, source=source.value)
    return camera


def change_camera(
    user: User,
    camera_id: int,
    *,
    name: str,
    source: CameraSource,
    address: str,
    every_minutes: int,
    on_trace_page: bool,
    active: bool,
) -> Camera:
    """Change a camera; without an address it keeps its own.

    :raises NotFound, CameraNameTaken, AddressMissing:
    """
    camera = own_camera(user, camera_id)
    if any(one.name == name and one.id != camera.id for one in cameras_of(camera.site)):
        raise CameraNameTaken(name=name)
    if source is not camera.source and not address:
        raise AddressMissing
    if active and not camera.active and sum(one.active for one in cameras_of(camera.site)) >= MOST_CAMERAS:
        raise TooManyCameras(most=MOST_CAMERAS)
    shown = on_trace_page != camera.on_trace_page
    camera.name, camera.source, camera.every_minutes = name, source, every_minutes
    camera.on_trace_page, camera.active = on_trace_page, active
    if address:
        camera.sealed_address = seal(address)
    camera.due_at, camera.misses, camera.failure = utc_now(), 0, None
    db.session.flush()
    if shown:
        raise_versions(Batch.site_id == camera.site_id)
    audit.note(user, "change", camera, name=name, source=source.value, address_changed=bool(address))
    return camera


def look_soon(camera: Camera) -> None:
    """Have a camera looked through with the next round."""
    camera.due_at = utc_now()
    db.session.flush()


# ---- pictures


def keep_picture(camera_id: int, glimpse: Glimpse, taken_at: datetime) -> CameraPicture:
    """Store what was seen. Files are put into the store before the row that names them: not inside a transaction."""
    row = CameraPicture(
        camera_id=camera_id,
        name=secrets.token_hex(16),
        taken_at=taken_at,
        day=local(taken_at).date(),
        sha256=glimpse.sha256,
        bytes=len(glimpse.data) + len(glimpse.strip),
        width=glimpse.width,
        height=glimpse.height,
        brightness=glimpse.brightness,
        contrast=glimpse.contrast,
        sharpness=glimpse.sharpness,
        one_colour=glimpse.one_colour,
        grey=glimpse.grey,
    )
    media_store().put(row.key, io.BytesIO(glimpse.data), CONTENT_TYPE)
    media_store().put(row.strip_key, io.BytesIO(glimpse.strip), CONTENT_TYPE)
    return row


def pictures_today(camera_id: int) -> int:
    query = sa.select(sa.func.count(CameraPicture.id)).filter_by(camera_id=camera_id, day=today())
    return int(db.session.scalar(query) or 0)


def picture_by_name(name: str) -> CameraPicture | None:
    picture: CameraPicture | None = db.session.scalar(db.select(CameraPicture).filter_by(name=name))
    return picture


def latest_pictures(camera: Camera, most: int, *further: ExecutableOption) -> list[CameraPicture]:
    """The latest first.

    :param further: what is to be loaded with each.
    """
    query = db.select(CameraPicture).filter_by(camera_id=camera.id).order_by(CameraPicture.taken_at.desc())
    return list(db.session.scalars(query.limit(most).options(*further)))


def pictures_of_days(camera: Camera, since: date, *further: ExecutableOption) -> list[CameraPicture]:
    """One picture of each day, oldest first."""
    query = db.select(CameraPicture).filter_by(camera_id=camera.id, is_of_day=True)
    query = query.where(CameraPicture.day >= since).order_by(CameraPicture.day)
    return list(db.session.scalars(query.options(*further)))


def is_public(picture: CameraPicture) -> bool:
    """Whether a picture stands on a page that anyone may open."""
    lots = (
        sa.select(Batch.id)
        .join(Camera, Camera.site_id == Batch.site_id)
        .where(Camera.id == picture.camera_id, Camera.on_trace_page, Batch.released_at.is_not(None))
        .where(_in_its_days(picture.day))
    )
    return picture.is_of_day and bool(db.session.scalar(sa.select(lots.exists())))


def strip_of(batch: Batch) -> list[CameraPicture]:
    """Twelve pictures at most of the days of a lot at its site, oldest first."""
    pictures = list(
        db.session.scalars(
            db.select(CameraPicture)
            .join(Camera, Camera.id == CameraPicture.camera_id)
            .where(Camera.site_id == batch.site_id, Camera.on_trace_page, CameraPicture.is_of_day)
            .where(CameraPicture.day.between(batch.started_on, batch.produced_on or today()))
            .order_by(CameraPicture.day, CameraPicture.camera_id)
        )
    )
    by_day = {picture.day: picture for picture in reversed(pictures)}
    days = sorted(by_day)
    if len(days) > STRIP:
        days = [days[round(n * (len(days) - 1) / (STRIP - 1))] for n in range(STRIP)]
    return [by_day[day] for day in days]


def _in_its_days(day: date | sa.SQLColumnExpression[date]) -> sa.ColumnElement[bool]:
    """The condition on `Batch` that a day is one of its own."""
    return sa.and_(Batch.started_on <= day, sa.or_(Batch.produced_on.is_(None), Batch.produced_on >= day))


def choose_of_day(pictures: Sequence[CameraPicture]) -> CameraPicture:
    """The picture that stays of a day: the sharpest within an hour of noon, or else the one nearest to it."""
    near = [one for one in pictures if abs(_hours_from_noon(one)) <= 1 and one.one_colour < 0.9]
    if near:
        return max(near, key=lambda one: one.sharpness)
    return min(pictures, key=lambda one: abs(_hours_from_noon(one)))


def _hours_from_noon(picture: CameraPicture) -> float:
    moment = local(picture.taken_at)
    return moment.hour + moment.minute / 60 - NOON


def sort_days(camera_id: int) -> list[str]:
    """Leave one picture of each day that is over; returns the keys of the files that nothing names any more."""
    camera = db.session.get_one(Camera, camera_id)
    query = db.select(CameraPicture).filter_by(camera_id=camera_id).where(CameraPicture.day < today())
    if camera.sorted_until is not None:
        query = query.where(CameraPicture.day >= camera.sorted_until)
    by_day: dict[date, list[CameraPicture]] = {}
    for picture in db.session.scalars(query.order_by(CameraPicture.id)):
        by_day.setdefault(picture.day, []).append(picture)
    keys: list[str] = []
    for day, pictures in by_day.items():
        chosen = next((one for one in pictures if one.is_of_day), None) or choose_of_day(pictures)
        chosen.is_of_day = True
        for other in pictures:
            if other is not chosen:
                keys += [other.key, other.strip_key]
                db.session.delete(other)
        if camera.on_trace_page:
            raise_versions(sa.and_(Batch.site_id == camera.site_id, _in_its_days(day)))
    camera.sorted_until = today()
    db.session.flush()
    return keys


# ---- room


def bytes_kept(camera: Camera) -> int:
    return int(
        db.session.scalar(sa.select(sa.func.sum(CameraPicture.bytes)).where(CameraPicture.camera_id == camera.id)) or 0
    )


def make_room(camera: Camera, most_bytes: int) -> list[str]:
    """Let the oldest pictures go that belong to no lot, until there is room; returns the keys of their files."""
    over = bytes_kept(camera) - most_bytes
    if over <= 0:
        return []
    lots = sa.select(Batch.id).where(Batch.site_id == camera.site_id, _in_its_days(CameraPicture.day))
    query = (
        db.select(CameraPicture)
        .filter_by(camera_id=camera.id)
        .where(CameraPicture.day < today(), ~lots.exists())
        .order_by(CameraPicture.day)
    )
    keys: list[str] = []
    for picture in db.session.scalars(query):
        if over <= 0:
            break
        over -= picture.bytes
        keys += [picture.key, picture.strip_key]
        db.session.delete(picture)
    db.session.flush()
    return keys


def open_alarms(camera: Camera) -> list[CameraAlarm]:
    return list(db.session.scalars(db.select(CameraAlarm).filter_by(camera_id=camera.id, until=None)))


def is_live(camera: Camera) -> bool:
    """Whether the latest picture is so new that it shows how things are."""
    return camera.seen_at is not None and utc_now() - camera.seen_at < timedelta(minutes=2 * camera.every_minutes + 2)
