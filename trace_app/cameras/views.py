"""The cameras of a site: its producer's pages, its authority's look, and pictures as pages show them."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, flash, redirect, render_template, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from media_store import MediaNotFound
from media_store.glimpses import CONTENT_TYPE
from trace_app.accounts.access import SUPERVISORS, NotFound, acting_user, allow, public, the_user
from trace_app.accounts.models import RoleName
from trace_app.cameras import rounds, service
from trace_app.cameras.forms import CameraForm, NewCameraForm
from trace_app.cameras.models import Camera
from trace_app.cameras.texts import FAILURES, SOURCES, TROUBLES
from trace_app.catalogue.service import site_for
from trace_app.clock import today
from trace_app.db.session import transaction
from trace_app.extensions import db, limiter
from trace_app.media.models import CameraPicture
from trace_app.media.service import media_store
from trace_app.settings import settings
from trace_app.templating import register_words, status_of

views = Blueprint("cameras", __name__)
register_words(views, camera_source=SOURCES, camera_failure=FAILURES, camera_trouble=TROUBLES)

LATEST = 24
"""Pictures of today that a camera's page shows."""
DAYS = 400
"""Days of which it shows one."""
PICTURE_AGE = 3600
"""Seconds that anyone may keep a picture: its producer may take it back."""
LOOKS = "4/minute;40/hour"
PROBLEMS = {"name": service.CameraNameTaken, "address": service.AddressMissing}


@views.get("/sites/<int:site_id>/cameras")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def of_site(site_id: int) -> ResponseReturnValue:
    return _page_of_site(site_id, NewCameraForm(formdata=None))


@views.post("/sites/<int:site_id>/cameras")
@allow(RoleName.PRODUCER)
def add(site_id: int) -> ResponseReturnValue:
    site_for(the_user(), site_id)
    form = NewCameraForm()
    if form.validate():
        facts = form.facts
        del facts["active"]
        with form.refusals(**PROBLEMS), transaction():
            camera_id = service.add_camera(the_user(), site_id, **facts).id
        if not form.errors:
            rounds.begin_round()
            flash(_("摄像头已添加，正在取第一张画面。请过一会儿刷新本页。"))
            return redirect(url_for("cameras.show", camera_id=camera_id))
    return _page_of_site(site_id, form)


def _page_of_site(site_id: int, form: CameraForm) -> ResponseReturnValue:
    site = site_for(the_user(), site_id)
    page = render_template(
        "cameras/of_site.html",
        site=site,
        cameras=[(camera, _latest(camera)) for camera in service.cameras_of(site)],
        form=form,
        owns=the_user().organisation_id == site.producer_id,
        is_live=service.is_live,
    )
    return page, status_of(form)


@views.get("/cameras/<int:camera_id>")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def show(camera_id: int) -> ResponseReturnValue:
    return _page(camera_id, CameraForm(formdata=None, obj=service.camera_for(the_user(), camera_id)))


@views.post("/cameras/<int:camera_id>")
@allow(RoleName.PRODUCER)
def change(camera_id: int) -> ResponseReturnValue:
    form = CameraForm(obj=service.own_camera(the_user(), camera_id))
    if form.validate():
        with form.refusals(**PROBLEMS), transaction():
            service.change_camera(the_user(), camera_id, **form.facts)
        if not form.errors:
            flash(_("已保存。"))
            return redirect(url_for("cameras.show", camera_id=camera_id))
    return _page(camera_id, form)


def _page(camera_id: int, form: CameraForm) -> ResponseReturnValue:
    camera = service.camera_for(the_user(), camera_id)
    pictures = service.latest_pictures(camera, LATEST)
    room, kept = settings().camera_quota_mb << 20, service.bytes_kept(camera)
    page = render_template(
        "cameras/show.html",
        camera=camera,
        form=form,
        owns=the_user().organisation_id == camera.producer_id,
        pictures=pictures,
        todays=[one for one in pictures if one.day == today()],
        days=service.pictures_of_days(camera, today() - timedelta(days=DAYS)),
        alarms=camera.alarms[:20],
        live=service.is_live(camera),
        kept=kept,
        room=room,
        nearly_full=kept > rounds.WARNED * room,
    )
    return page, status_of(form)


@views.post("/cameras/<int:camera_id>/look")
@allow(RoleName.PRODUCER)
@limiter.limit(LOOKS)
def look_now(camera_id: int) -> ResponseReturnValue:
    with transaction():
        service.look_soon(service.own_camera(the_user(), camera_id))
    rounds.begin_round()
    flash(_("正在取画面。请过一会儿刷新本页。"))
    return redirect(url_for("cameras.show", camera_id=camera_id))


@views.get("/cameras/pictures/<string(length=32):name>.webp")
@public
def picture(name: str) -> Response:
    return _file(name, small=False)


@views.get("/cameras/pictures/<string(length=32):name>-small.webp")
@public
def small_picture(name: str) -> Response:
    return _file(name, small=True)


def _file(name: str, *, small: bool) -> Response:
    found = service.picture_by_name(name)
    if found is None:
        raise NotFound
    for_all = service.is_public(found)
    if not for_all:
        user = acting_user()
        if user is None:
            raise NotFound
        service.camera_for(user, found.camera_id)
    key = found.strip_key if small else found.key
    db.session.rollback()
    try:
        file = media_store().open(key)
    except MediaNotFound as error:
        raise NotFound from error
    answer = send_file(file, CONTENT_TYPE, max_age=PICTURE_AGE if for_all else None)
    if not for_all:
        answer.headers["Cache-Control"] = "private, no-cache"
    return answer


def _latest(camera: Camera) -> CameraPicture | None:
    found = service.latest_pictures(camera, 1)
    return found[0] if found else None
