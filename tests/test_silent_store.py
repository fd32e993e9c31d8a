"""A media store that accepts and never answers, under the platform as it is served."""

from __future__ import annotations

import io
import re
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from http.cookiejar import CookieJar
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from media_store.bounded import AT_A_TIME
from tests.conftest import app_for, settings_for
from tests.served import prepared, serving
from tests.silent import silent_server
from tests.world import PASSWORD, World, photo
from trace_app.extensions import db
from trace_app.media.models import Photo

PICTURES = 24


class Got(NamedTuple):
    status: int
    text: str
    retry_after: str | None


def _get(url: str, who: urllib.request.OpenerDirector, data: dict[str, str] | None = None) -> Got:
    body = urlencode(data).encode() if data else None
    try:
        with who.open(url, body, timeout=120) as answer:
            return Got(answer.status, answer.read().decode(errors="replace"), None)
    except urllib.error.HTTPError as error:
        with error:
            return Got(error.code, error.read().decode(), error.headers["Retry-After"])


def _visitor() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))


def test_a_silent_store_costs_pictures_alone(tmp_path: Path) -> None:
    platform = prepared(tmp_path, None, workers=1)
    app = app_for(settings_for(tmp_path, secret_key=None))
    world = World(app)
    actor = world.producer()
    product = world.product(actor)
    files = [(io.BytesIO(photo()), f"{number}.jpg") for number in range(12)]
    assert world.client(actor).post(f"/products/{product}/photos", data={"photos": files}).status_code == 302
    lot, code = world.labelled(actor)
    with app.app_context():
        names = list(db.session.scalars(db.select(Photo.name)))
        db.session.remove()
        db.engine.dispose()
    pictures = [f"{platform.url}/media/{name}{size}.webp" for name in names for size in ("", "-small")][:PICTURES]
    assert len(pictures) == PICTURES
    with silent_server() as store, ThreadPoolExecutor(PICTURES) as browsers:
        silent = {
            "S3_BUCKET": "media",
            "S3_ENDPOINT_URL": f"http://{store.address}",
            "S3_REGION": "us-east-1",
            "S3_ACCESS_KEY": "tests-key-1",
            "S3_SECRET_KEY": "tests-secret-1",
        }
        with serving(replace(platform, environment=platform.environment | silent)):
            asked = [browsers.submit(_get, url, _visitor()) for url in pictures]
            while store.taken < AT_A_TIME:
                assert not all(one.done() for one in asked)
            # The store holds these until it is given up; meanwhile everything else goes its way.
            someone = _visitor()
            assert "罗平" in _get(f"{platform.url}/{code}", someone).text
            form = _get(f"{platform.url}/login", someone).text
            token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
            assert token
            given = {"csrf_token": token[1], "email": actor.username, "password": PASSWORD}
            assert _get(f"{platform.url}/login", someone, given).status == 200
            for path in ("/batches", "/products", f"/batches/{lot}"):
                page = _get(f"{platform.url}{path}", someone)
                assert page.status == 200
                assert "登录" not in page.text.split("<main")[1][:400]
            held = [one for one in asked if not one.done()]
            assert held, "the pages waited for the store"
            wait(asked)
            refused = [one.result() for one in asked]
            assert {one.status for one in refused} == {503}
            assert all(one.retry_after for one in refused)
            assert all("暂时无法处理" in one.text for one in refused)

            # By now it is known to be away: nobody asks it.
            before = store.taken
            again = [browsers.submit(_get, url, _visitor()) for url in pictures[:8]]
            assert {one.result().status for one in again} == {503}
            assert store.taken <= before + 1
