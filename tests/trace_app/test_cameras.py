"""Cameras at sites: what is seen, what is kept of it, what their owners are told, and what nobody ever reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from socket import create_server
from typing import Any

import cv2
import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask

from media_store import LocalStore
from media_store.glimpses import STRIP_BYTES, Glimpse, look_at_photo
from tests.cameras import PASSWORD, USER, StreamCamera, WebCamera, stream_camera, web_camera
from tests.conftest import app_for, let_go_of, set_up, settings_for
from tests.films import h264
from tests.world import World
from trace_app.batches.models import Batch
from trace_app.cameras import rounds, service
from trace_app.cameras.looking import NothingSeen, look
from trace_app.cameras.models import Camera, CameraAlarm, CameraFailure, CameraSource, CameraTrouble
from trace_app.clock import SHANGHAI, today
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.media.models import CameraPicture
from trace_app.messages import outgoing
from trace_app.messages.models import Delivery

pytestmark = pytest.mark.either_database


def _yard(seed: int, *, height: int = 360, width: int = 640) -> bytes:
    """A JPEG of a yard with some detail, a little different each time."""
    still = np.random.default_rng(7).integers(40, 220, (height // 20, width // 20, 3), dtype=np.uint8)
    frame = cv2.resize(still, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.int16)
    frame += np.random.default_rng(seed).integers(-6, 7, frame.shape, dtype=np.int16)
    return cv2.imencode(".jpg", np.clip(frame, 0, 255).astype(np.uint8))[1].tobytes()


@pytest.fixture(autouse=True)
def folder(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the media store keeps its files in these tests."""
    monkeypatch.setitem(world.app.extensions, "media_store", LocalStore(tmp_path / "media"))
    return tmp_path / "media"


@pytest.fixture(autouse=True)
def _cameras_are_here(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform may ask this machine for pictures, as if its cameras were on it."""
    here = settings_for(world.app.config["SETTINGS"].folder, camera_allow=["127.0.0.0/8"])
    monkeypatch.setitem(world.app.config["SETTINGS"].__dict__, "camera_networks", here.camera_networks)


@pytest.fixture
def web() -> Iterator[WebCamera]:
    with web_camera() as camera:
        camera.files["/now.jpg"] = _yard(1)
        yield camera


@pytest.fixture
def stream() -> Iterator[StreamCamera]:
    with stream_camera() as camera:
        yield camera


def _form(address: str, **change: str) -> dict[str, str]:
    facts = {"name": "东头", "source": "snapshot", "address": address, "every_minutes": "10", "active": "y"}
    return facts | change


class Yard:
    """A site with a lot that began in spring, and a camera at it."""

    def __init__(self, world: World, address: str, **change: str) -> None:
        self.world, self.actor = world, world.producer(name="姜社")
        self.lot, self.code = world.labelled(self.actor)
        with world.app.app_context():
            query = sa.text("SELECT site_id FROM batches WHERE id = :lot")
            self.site = int(db.session.execute(query, {"lot": self.lot}).scalar_one())
        self.client = world.client(self.actor)
        answer = self.client.post(f"/sites/{self.site}/cameras", data=_form(address, **change))
        assert answer.status_code == 302, answer.text
        self.path = answer.location
        self.id = int(answer.location.rsplit("/", 1)[1])

    def look(self) -> None:
        """One more round, as if its time had come."""
        with self.world.writing():
            db.session.get_one(Camera, self.id).due_at = utc_now()
        with self.world.app.app_context():
            rounds.look_round()

    def told(self) -> list[dict[str, Any]]:
        with self.world.app.app_context():
            return [dict(one.message) for one in db.session.scalars(sa.select(Delivery).order_by(Delivery.id))]


def _seen(world: World, source: CameraSource, address: str) -> str:
    with world.app.app_context():
        try:
            return f"{look(source, address).width}"
        except NothingSeen as nothing:
            return nothing.failure.value


class TestLooking:
    @pytest.mark.parametrize("asks", ["", "basic", "digest"])
    def test_a_picture_by_http_whatever_password_it_wants(self, world: World, web: WebCamera, asks: str) -> None:
        web.asks = asks
        assert _seen(world, CameraSource.SNAPSHOT, f"http://{USER}:{PASSWORD}@{web.place}/now.jpg") == "640"
        if asks:
            assert _seen(world, CameraSource.SNAPSHOT, f"http://{USER}:falsch@{web.place}/now.jpg") == "refused"
            assert _seen(world, CameraSource.SNAPSHOT, f"http://{web.place}/now.jpg") == "refused"

    def test_the_latest_piece_of_a_stream_by_http(self, world: World, web: WebCamera) -> None:
        web.files |= {
            "/yard.m3u8": b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=3840x2160\nlarge.m3u8\n"
            b"#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=64x48\nsmall.m3u8\n",
            "/small.m3u8": b"#EXTM3U\n#EXTINF:2,\nold.mp4\n#EXTINF:2,\nnew.mp4\n",
            "/new.mp4": h264(),
        }
        assert _seen(world, CameraSource.HLS, f"http://{web.place}/yard.m3u8") == "64"
        assert web.seen == ["/yard.m3u8", "/small.m3u8", "/new.mp4"]

    def test_a_stream_by_rtsp(self, world: World, stream: StreamCamera) -> None:
        assert _seen(world, CameraSource.RTSP, f"rtsp://{USER}:{PASSWORD}@{stream.place}/stream1") == "64"

    @pytest.mark.parametrize(
        ("way", "failure"), [("elsewhere", "redirected"), ("closed", "refused"), ("silent", "no_answer")]
    )
    def test_a_stream_that_is_none_says_why(self, world: World, stream: StreamCamera, way: str, failure: str) -> None:
        stream.way = way
        assert _seen(world, CameraSource.RTSP, f"rtsp://{USER}:{PASSWORD}@{stream.place}/stream1") == failure

    @pytest.mark.parametrize(
        "said",
        [
            "RTSP/1.0  302 Found",
            "RTSP/1.0\t302 Found",
            "RTSP/1.00 302 Found",
            "RTSP/1 302 Found",
            "RTSP/9.9 302",
            "rtsp/1.0 302 Found",
            "RTSP/1.0 0302 Found",
            "\r\nRTSP/1.0 302 Found",
            "RTSP/1.0 200 OK\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\nRTSP/1.0 302 Found",
            "RTSP/1.0 302 Found\rX: y",
        ],
    )
    def test_no_way_of_saying_it_sends_the_decoder_elsewhere(
        self, world: World, stream: StreamCamera, said: str
    ) -> None:
        with create_server(("127.0.0.1", 0)) as inside:
            inside.settimeout(0.2)
            stream.elsewhere = f"rtsp://127.0.0.1:{inside.getsockname()[1]}/x"
            stream.way, stream.status = "elsewhere", said.format(elsewhere=stream.elsewhere)
            assert _seen(world, CameraSource.RTSP, f"rtsp://{stream.place}/stream1") in {"redirected", "no_picture"}
            with pytest.raises(TimeoutError):
                inside.accept()

    def test_what_never_ends_is_ended(
        self, world: World, stream: StreamCamera, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An answer that says it is the last one, and then comes byte by byte for ever."""
        monkeypatch.setattr(outgoing, "DEADLINE_S", 1.0)
        stream.way = "dripping"
        assert _seen(world, CameraSource.SNAPSHOT, f"http://{stream.place}/now.jpg") in {"no_answer", "no_picture"}
        # So does a webhook, which is delivered as soon as that is said.
        outgoing.post(f"http://{stream.place}/hook", b"{}", {}, private_hosts=frozenset({"127.0.0.1"}))

    def test_a_challenge_that_cant_be_read_is_a_refusal(self, world: World, web: WebCamera) -> None:
        web.asks, web.challenge = "digest", "Digest realm=, nonce=x"
        assert _seen(world, CameraSource.SNAPSHOT, f"http://{USER}:{PASSWORD}@{web.place}/now.jpg") == "refused"

    def test_what_is_no_picture_is_none(self, world: World, web: WebCamera) -> None:
        web.files |= {
            "/text.jpg": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
            "/cut.jpg": _yard(1)[:300],
            "/list.m3u8": b"#EXTM3U\n#EXTINF:2,\ntext.jpg\n",
            "/locked.m3u8": b'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF:2,\nx.ts\n',
            "/empty.m3u8": b"#EXTM3U\n",
            "/thin.png": cv2.imencode(".png", np.zeros((6000, 1), np.uint8))[1].tobytes(),
            "/tall.png": cv2.imencode(".png", np.zeros((9600, 20), np.uint8))[1].tobytes(),
            "/wide.png": cv2.imencode(".png", np.zeros((5_000, 5_000), np.uint8))[1].tobytes(),
        }
        for path in ("text.jpg", "cut.jpg", "wide.png", "thin.png", "tall.png", "missing.jpg"):
            assert _seen(world, CameraSource.SNAPSHOT, f"http://{web.place}/{path}") == "no_picture", path
        for path in ("list.m3u8", "locked.m3u8", "empty.m3u8", "now.jpg"):
            assert _seen(world, CameraSource.HLS, f"http://{web.place}/{path}") == "no_picture", path

    def test_no_way_leads_to_where_cameras_are_not(self, world: World, web: WebCamera) -> None:
        inside = "http://10.0.0.1/now.jpg"
        web.elsewhere["/moved.jpg"] = inside
        web.files |= {
            "/far.m3u8": b"#EXTM3U\n#EXTINF:2,\nhttp://10.0.0.1/a.ts\n",
            "/variants.m3u8": b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://10.0.0.1/b.m3u8\n",
            "/head.m3u8": b'#EXTM3U\n#EXT-X-MAP:URI="http://10.0.0.1/i.mp4"\n#EXTINF:2,\na.mp4\n',
            "/file.m3u8": b"#EXTM3U\n#EXTINF:2,\nfile:///etc/passwd\n",
        }
        assert _seen(world, CameraSource.SNAPSHOT, inside) == "not_allowed"
        assert _seen(world, CameraSource.RTSP, "rtsp://10.0.0.1/x") == "not_allowed"
        assert _seen(world, CameraSource.SNAPSHOT, f"http://{web.place}/moved.jpg") == "redirected"
        for path in ("far", "variants", "head", "file"):
            assert _seen(world, CameraSource.HLS, f"http://{web.place}/{path}.m3u8") == "not_allowed", path


class TestPages:
    def test_a_camera_is_added_and_its_picture_has_its_time(self, world: World, web: WebCamera) -> None:
        yard = Yard(world, f"http://{web.place}/now.jpg")
        page = yard.client.get(yard.path).text
        assert "最新" in page
        name = re.search(r"/cameras/pictures/(\w{32})\.webp", page)
        assert name is not None
        whole = yard.client.get(f"/cameras/pictures/{name[1]}.webp")
        small = yard.client.get(f"/cameras/pictures/{name[1]}-small.webp")
        assert whole.mimetype == small.mimetype == "image/webp"
        assert len(small.data) <= STRIP_BYTES
        # An old picture is never shown as if it were now.
        with world.writing():
            db.session.get_one(Camera, yard.id).seen_at = utc_now() - timedelta(minutes=30)
        assert "最新" not in yard.client.get(yard.path).text
        assert "最新" not in yard.client.get(f"/sites/{yard.site}/cameras").text

    @pytest.mark.parametrize(
        ("source", "address"),
        [
            ("rtsp", "http://camera.example.com/x"),
            ("snapshot", "camera.example.com/x.jpg"),
            ("snapshot", "http:///x.jpg"),
            ("hls", "https://live.example.com/a b.m3u8"),
            ("rtsp", "rtsp://camera.example.com:0/x"),
            ("rtsp", "rtsp://camera.example.com:99999/x"),
            ("snapshot", "file:///etc/passwd"),
        ],
    )
    def test_an_address_that_is_none_is_said_and_all_that_was_typed_stays(
        self, world: World, source: str, address: str
    ) -> None:
        actor = world.producer()
        site = world.site(actor)
        data = _form(address, source=source, name="西头", every_minutes="15")
        answer = world.client(actor).post(f"/sites/{site}/cameras", data=data)
        assert answer.status_code == 422
        assert "地址不完整" in answer.text
        assert f'value="{address}"' in answer.text
        assert 'value="西头"' in answer.text
        assert 'value="15"' in answer.text

    def test_names_intervals_and_numbers_of_cameras_have_their_bounds(self, world: World) -> None:
        yard = Yard(world, "https://camera.invalid/now.jpg")
        path = f"/sites/{yard.site}/cameras"
        taken = yard.client.post(path, data=_form("https://camera.invalid/2.jpg"))
        assert taken.status_code == 422
        assert "已有名为“东头”的摄像头" in taken.text
        assert yard.client.post(path, data=_form("https://c.invalid/2", name="b", every_minutes="1")).status_code == 422
        both = yard.client.post(path, data=_form("", name="")).text
        assert "请填写地址。" in both
        assert "请填写此项" in both
        assert yard.client.post(path, data=_form("https://c.invalid/2", name="b", source="xyz")).status_code == 422
        for inside in ("http://10.0.0.5/x", "http://[::1]/x", "http://169.254.169.254/x"):
            refused = yard.client.post(path, data=_form(inside, name="b"))
            assert refused.status_code == 422
            assert "这个地址在内网里" in refused.text
        for number in range(service.MOST_CAMERAS - 1):
            assert yard.client.post(path, data=_form("https://c.invalid/2", name=f"{number}")).status_code == 302
        assert "最多" in yard.client.post(path, data=_form("https://c.invalid/2", name="z")).text
        # One that is switched off makes room, and comes back when there is some.
        off = _form("")
        del off["active"]
        assert yard.client.post(yard.path, data=off).status_code == 302
        assert yard.client.post(path, data=_form("https://c.invalid/2", name="z")).status_code == 302
        assert "最多" in yard.client.post(yard.path, data=_form("")).text

    def test_pictures_on_demand_have_their_measure(self, world: World, web: WebCamera) -> None:
        yard = Yard(world, f"http://{web.place}/now.jpg")
        answers = [yard.client.post(f"{yard.path}/look").status_code for _ in range(6)]
        assert answers == [302] * 4 + [429] * 2
        assert len(web.seen) == 5

    def test_a_change_without_an_address_keeps_it_and_another_way_needs_one(self, world: World, web: WebCamera) -> None:
        yard = Yard(world, f"http://{web.place}/now.jpg")
        assert yard.client.post(yard.path, data=_form("", name="南头")).status_code == 302
        yard.look()
        assert len(web.seen) == 2
        refused = yard.client.post(yard.path, data=_form("", source="rtsp"))
        assert refused.status_code == 422
        assert "换了取图方式" in refused.text
        # Switched off, it is left alone.
        off = _form("", name="南头")
        del off["active"]
        assert yard.client.post(yard.path, data=off).status_code == 302
        yard.look()
        assert len(web.seen) == 2

    def test_others_see_neither_camera_nor_picture(self, world: World, web: WebCamera) -> None:
        yard = Yard(world, f"http://{web.place}/now.jpg")
        name = re.search(r"/cameras/pictures/(\w{32})\.webp", yard.client.get(yard.path).text)
        assert name is not None
        picture = f"/cameras/pictures/{name[1]}.webp"
        assert world.client().get(picture).status_code == 404
        assert world.client(world.producer()).get(picture).status_code == 404
        assert world.client(world.regulator("530381")).get(picture).status_code == 404
        officer = world.client(world.regulator())
        assert officer.get(picture).status_code == 200
        page = officer.get(yard.path).text
        assert "东头" in page
        assert 'name="address"' not in page
        assert officer.post(yard.path, data=_form("https://c.invalid/1")).status_code == 403


def _picture(yard: Yard, at: datetime, seed: int = 0, *, of_day: bool = False) -> None:
    """A picture of another moment, as a round would have kept it."""
    glimpse = look_at_photo(_yard(seed))
    with yard.world.app.app_context():
        row = service.keep_picture(yard.id, glimpse, at)
        row.is_of_day = of_day
        db.session.add(row)
        db.session.commit()


def _noon(day: date, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=SHANGHAI)


class TestKeeping:
    def test_of_a_day_that_is_over_one_picture_is_left_and_of_today_all(
        self, world: World, web: WebCamera, folder: Path
    ) -> None:
        yard = Yard(world, f"http://{web.place}/now.jpg")
        before = today() - timedelta(days=1)
        for hour in (0, 8, 12, 20):
            _picture(yard, _noon(before, hour), hour)
        with world.writing():
            db.session.get_one(Camera, yard.id).sorted_until = None
        yard.look()
        with world.app.app_context():
            left = db.session.scalars(sa.select(CameraPicture).order_by(CameraPicture.taken_at)).all()
            assert [(one.day, one.is_of_day) for one in left] == [(before, True), (today(), False), (today(), False)]
            assert left[0].taken_at == _noon(before)
            keys = {key for one in left for key in (one.key, one.strip_key)}
        assert {str(path.relative_to(folder)) for path in folder.rglob("*.webp")} == keys

    def test_where_there_is_no_room_the_oldest_goes_that_no_lot_needs(self, world: World, web: WebCamera) -> None:
        yard = Yard(world, f"http://{web.place}/now.jpg")
        with world.app.app_context():
            batch = db.session.get_one(Batch, yard.lot)
            of_the_lot, of_none = batch.started_on, batch.started_on - timedelta(days=1)
        _picture(yard, _noon(of_none), 1, of_day=True)
        _picture(yard, _noon(of_the_lot), 2, of_day=True)
        with world.writing():
            camera = db.session.get_one(Camera, yard.id)
            assert len(service.make_room(camera, 1)) == 2
            days = db.session.scalars(sa.select(CameraPicture.day).order_by(CameraPicture.day)).all()
        assert days == [of_the_lot, today()]

    def test_the_season_of_a_lot_stands_on_its_page_where_its_producer_wants_it(
        self, world: World, web: WebCamera
    ) -> None:
        yard = Yard(world, f"http://{web.place}/now.jpg")
        with world.app.app_context():
            batch = db.session.get_one(Batch, yard.lot)
            first, last = batch.started_on, batch.produced_on
        assert last is not None
        for number in range(20):
            _picture(yard, _noon(first + (last - first) * number / 19), number, of_day=True)
        consumer = world.client()
        assert "从种到收" not in consumer.get(f"/{yard.code}").text
        hidden = re.search(r"pictures/(\w{32})", yard.client.get(yard.path).text)
        assert hidden is not None
        assert consumer.get(f"/cameras/pictures/{hidden[1]}.webp").status_code == 404
        assert yard.client.post(yard.path, data=_form("", on_trace_page="y")).status_code == 302
        page = consumer.get(f"/{yard.code}").text
        assert "从种到收：12 张画面" in page
        assert "From planting to harvest: 12 pictures" in world.client(language="en").get(f"/{yard.code}").text
        shown = re.findall(r"/cameras/pictures/(\w{32})-small\.webp", page)
        assert len(shown) == 12
        sizes = [len(consumer.get(f"/cameras/pictures/{name}-small.webp").data) for name in shown]
        assert sum(sizes) <= 81_920
        assert "<script" not in page[page.index("从种到收") : page.index("</details>", page.index("从种到收"))]
        with world.app.app_context():
            days = [service.picture_by_name(name).day for name in shown]  # type: ignore[union-attr]
        assert days == sorted(days)
        assert (days[0], days[-1]) == (first, last)


class TestTelling:
    def test_a_camera_that_fell_silent_is_told_of_once_and_once_that_it_is_back(
        self, world: World, web: WebCamera
    ) -> None:
        yard = Yard(world, f"http://{web.place}/now.jpg")
        kept = web.files.pop("/now.jpg")
        yard.look()
        yard.look()
        assert yard.told() == []
        for _ in range(3):
            yard.look()
        silent = [one["subject"] for one in yard.told()]
        assert len(silent) == 1
        assert re.search(r"自 \d\d:\d\d 起无画面", silent[0])
        assert "取不到画面" in yard.client.get(yard.path).text
        web.files["/now.jpg"] = kept
        yard.look()
        yard.look()
        subjects = [one["subject"] for one in yard.told()]
        assert len(subjects) == 2
        assert re.search(r"\d\d:\d\d 恢复", subjects[1])
        assert "取不到画面" not in yard.client.get(yard.path).text

    def test_no_trouble_stands_twice_at_a_time(self, world: World, web: WebCamera) -> None:
        yard = Yard(world, f"http://{web.place}/now.jpg")
        twice = [{"camera_id": yard.id, "trouble": CameraTrouble.BLACK, "since": utc_now()} for _ in range(2)]
        with world.app.app_context(), pytest.raises(sa.exc.IntegrityError):
            db.session.execute(sa.insert(CameraAlarm), twice)


def test_what_one_camera_sends_keeps_no_other_from_being_seen(
    world: World, web: WebCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = Yard(world, f"http://{web.place}/now.jpg")
    second = yard.client.post(f"/sites/{yard.site}/cameras", data=_form(f"http://{web.place}/evil.jpg", name="b"))
    assert second.status_code == 302
    with world.writing():
        db.session.execute(sa.update(Camera).values(due_at=utc_now()))

    def look_or_fall(source: CameraSource, address: str) -> Glimpse:
        if "evil" in address:
            raise OverflowError
        return look(source, address)

    monkeypatch.setattr(rounds, "look", look_or_fall)
    before = len(web.seen)
    with world.app.app_context():
        rounds.look_round()
        assert len(web.seen) == before + 1
        assert db.session.scalars(sa.select(Camera.misses).order_by(Camera.id)).all() == [0, 2]


def test_dead_cameras_keep_nobody_waiting_and_no_round_begins_twice(world: World, web: WebCamera) -> None:
    yard = Yard(world, f"http://{web.place}/now.jpg")
    with stream_camera() as dead:
        dead.way = "silent"
        for number in range(4):
            data = _form(f"rtsp://{dead.place}/{number}", source="rtsp", name=f"死 {number}")
            assert yard.client.post(f"/sites/{yard.site}/cameras", data=data).status_code == 302
        with world.writing():
            db.session.execute(sa.update(Camera).values(due_at=utc_now()))
        before = len(web.seen)
        with world.app.app_context():
            rounds.begin_round()
            rounds.begin_round()
            failures = db.session.scalars(sa.select(Camera.failure).order_by(Camera.id)).all()
    assert len(web.seen) == before + 1
    assert failures == [None, *[CameraFailure.NO_ANSWER] * 4]


SECRET = "Zauber-Wort-5512"


def test_a_password_is_nowhere_to_be_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], web: WebCamera, stream: StreamCamera
) -> None:
    """Whatever goes wrong with a camera, its password stands in no page, log, message or table."""
    settings = settings_for(tmp_path / "data", camera_allow=["127.0.0.0/8"], log_format="json")
    app: Flask = app_for(settings)
    set_up(app)
    world = World(app)
    actor = world.producer()
    site, client = world.site(actor), world.client(actor)
    web.asks, stream.way = "digest", "closed"
    web.elsewhere["/moved.jpg"] = "http://10.0.0.1/"
    pages = []
    faults = [
        ("snapshot", f"http://admin:{SECRET}@{web.place}/now.jpg"),
        ("snapshot", f"http://admin:{SECRET}@camera.invalid/now.jpg"),
        ("snapshot", f"http://127.0.0.1:1/now.jpg?password={SECRET}"),
        ("hls", f"http://admin:{SECRET}@{web.place}/now.m3u8"),
        ("rtsp", f"rtsp://admin:{SECRET}@{stream.place}/stream1"),
        ("rtsp", f"rtsp://admin:{SECRET}@127.0.0.1:1/stream1"),
        ("rtsp", f"rtsp://admin:{SECRET}@camera.invalid/stream1"),
    ]
    for number, (source, address) in enumerate(faults):
        data = _form(address, source=source, name=f"{number}")
        answer = client.post(f"/sites/{site}/cameras", data=data)
        assert answer.status_code == 302, answer.text
        pages += [client.get(answer.location).text, client.get(f"/sites/{site}/cameras").text]
    for _ in range(5):
        with world.writing():
            db.session.execute(sa.update(Camera).values(due_at=utc_now()))
        with app.app_context():
            rounds.look_round()
    pages += [client.get("/account/log").text, world.client(world.administrator()).get("/trail").text]
    with app.app_context():
        assert {one.failure for one in db.session.scalars(sa.select(Camera))} >= {
            CameraFailure.REFUSED,
            CameraFailure.NO_ANSWER,
        }
        assert db.session.scalar(sa.select(sa.func.count(Delivery.id)))
        rows = json.dumps(
            [list(map(str, row)) for table in db.metadata.sorted_tables for row in db.session.execute(sa.select(table))]
        )
    let_go_of(app)
    out, err = capfd.readouterr()
    for text in (*pages, rows, out, err):
        assert SECRET not in text
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert SECRET.encode() not in file.read_bytes(), file


def test_another_key_opens_no_address(world: World, web: WebCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    yard = Yard(world, f"http://{web.place}/now.jpg")
    monkeypatch.setitem(world.app.config["SETTINGS"].__dict__, "factor_secret", "another")
    yard.look()
    assert "请重新填写地址" in yard.client.get(yard.path).text
