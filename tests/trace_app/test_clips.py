"""Clips of records as producers, authorities and consumers see them."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import python_calamine
import sqlalchemy as sa
from flask.testing import FlaskClient

from media_store import LocalStore
from tests.films import PLACE, PLACES_THAT_TELL, drawn, h264, with_box
from tests.trace_app.clipping import clips, only_clip, send
from tests.world import Actor, World
from trace_app.clips.judging import judge_clip
from trace_app.clips.texts import file_size
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.media.models import Clip, ClipVerdict

pytestmark = pytest.mark.either_database

FILM = h264()
BLANK = FILM[: FILM.index(b"mdat") + 4].ljust(len(FILM), b"\0")
"""A clip of which no frame can be decoded."""
NOT_EVERYWHERE = "这种格式网页放不了"


@pytest.fixture(autouse=True)
def folder(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the media store keeps its files in these tests."""
    monkeypatch.setitem(world.app.extensions, "media_store", LocalStore(tmp_path / "media"))
    return tmp_path / "media"


class Filmed:
    """A released lot with a label, and a record of it that can be filmed."""

    def __init__(self, world: World) -> None:
        self.actor: Actor = world.producer()
        self.batch_id, self.code = world.labelled(self.actor)
        self.record_id = world.record(self.actor, self.batch_id, note="第二次培土")
        self.client: FlaskClient = world.client(self.actor)


@pytest.fixture
def filmed(world: World) -> Filmed:
    return Filmed(world)


def _films(page: str) -> int:
    return page.count("<video")


def test_a_consumer_sees_a_clip_as_soon_as_it_was_looked_at(world: World, filmed: Filmed) -> None:
    consumer = world.client()
    before, version = consumer.get(f"/{filmed.code}").text, world.version(filmed.batch_id)
    assert _films(before) == 0
    send(filmed.client, filmed.record_id, FILM)
    assert world.version(filmed.batch_id) > version
    page = consumer.get(f"/{filmed.code}")
    clip = only_clip(world)
    assert _films(page.text) == 1
    for part in (
        f'src="/clips/{clip.name}.mp4"',
        f'poster="/clips/{clip.name}-poster.webp"',
        'preload="none"',
        "playsinline",
        "controls",
        "0:02",
    ):
        assert part in page.text
    assert "media-src 'self'" in page.headers["Content-Security-Policy"]
    # What is added to a page of one clip.
    assert len(page.text) - len(before) < 900


def test_a_page_of_many_clips_loads_one_poster_before_anyone_taps(world: World, filmed: Filmed) -> None:
    more = [world.record(filmed.actor, filmed.batch_id, note=note) for note in ("第三次培土", "除草")]
    for record_id in (filmed.record_id, *more):
        send(filmed.client, record_id, FILM)
    page = world.client().get(f"/{filmed.code}").text
    assert _films(page) == 3
    assert page.count('poster="') == 1
    # The others are behind a line that opens.
    assert page.count('<details class="films">') == 2


def test_what_a_consumer_gets_of_a_clip_tells_nothing_beside_its_picture(world: World, filmed: Filmed) -> None:
    send(filmed.client, filmed.record_id, FILM)
    clip = only_clip(world)
    shown = world.client().get(f"/clips/{clip.name}.mp4")
    assert shown.mimetype == "video/mp4"
    assert len(shown.data) == len(FILM)
    assert PLACE in FILM
    assert PLACE not in shown.data
    original = filmed.client.get(f"/clips/{clip.name}/original")
    assert original.data == FILM
    assert "attachment" in original.headers["Content-Disposition"]
    assert "no-cache" in original.headers["Cache-Control"]


@pytest.mark.parametrize("where", PLACES_THAT_TELL)
def test_no_range_of_what_a_consumer_gets_tells_a_place(world: World, filmed: Filmed, where: str) -> None:
    data = with_box(h264(moov_first=False), *PLACES_THAT_TELL[where])
    send(filmed.client, filmed.record_id, data)
    path, consumer = f"/clips/{only_clip(world).name}.mp4", world.client()
    whole = consumer.get(path)
    assert (whole.status_code, len(whole.data)) == (200, len(data))
    assert PLACE not in whole.data
    place = data.rindex(PLACE)
    for first, last in ((place, place + len(PLACE) - 1), (place - 9, len(data) - 1), (place + 3, place + 3)):
        part = consumer.get(path, headers={"Range": f"bytes={first}-{last}"})
        assert part.status_code == 206
        assert part.data == whole.data[first : last + 1]


def test_the_original_is_for_who_may_see_the_record(world: World, filmed: Filmed) -> None:
    send(filmed.client, filmed.record_id, FILM)
    path = f"/clips/{only_clip(world).name}/original"
    assert world.client(world.regulator()).get(path).data == FILM
    assert world.client(world.regulator("530381")).get(path).status_code == 404
    assert world.client(world.producer()).get(path).status_code == 404
    assert world.client(world.buyer()).get(path).status_code == 403
    assert world.client().get(path).location.startswith("/login")


@pytest.mark.parametrize(
    ("asked", "start", "length"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-1", 0, 2),
        ("bytes=5-", 5, -1),
        ("bytes=100-199", 100, 100),
        ("bytes=-7", -7, 7),
        ("bytes=10-99999999", 10, -1),
        ("bytes=-99999999", 0, -1),
    ],
)
def test_players_ask_for_a_range(world: World, filmed: Filmed, asked: str, start: int, length: int) -> None:
    send(filmed.client, filmed.record_id, FILM)
    path = f"/clips/{only_clip(world).name}.mp4"
    whole = world.client().get(path)
    assert (whole.status_code, whole.headers["Accept-Ranges"]) == (200, "bytes")
    size = len(FILM)
    start = start if start >= 0 else size + start
    end = size if length < 0 else start + length
    part = world.client().get(path, headers={"Range": asked})
    assert part.status_code == 206
    assert part.data == whole.data[start:end]
    assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    assert part.headers["Content-Length"] == str(end - start)
    assert part.headers["ETag"] == whole.headers["ETag"]


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=0-1,5-9", "bytes=-0"])
def test_a_range_that_there_is_not_and_several_at_once_are_refused(world: World, filmed: Filmed, asked: str) -> None:
    send(filmed.client, filmed.record_id, FILM)
    answer = world.client().get(f"/clips/{only_clip(world).name}.mp4", headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(FILM)}"
    assert answer.data == b""


@pytest.mark.parametrize("asked", ["bytes=9-1", "bytes=-", "bytes=a-b", "lines=0-1", "bytes", "bytes=1-2-3"])
def test_what_is_no_range_is_not_looked_at(world: World, filmed: Filmed, asked: str) -> None:
    send(filmed.client, filmed.record_id, FILM)
    answer = world.client().get(f"/clips/{only_clip(world).name}.mp4", headers={"Range": asked})
    assert (answer.status_code, len(answer.data)) == (200, len(FILM))


def test_a_range_of_another_clip_than_it_was_is_the_whole(world: World, filmed: Filmed) -> None:
    send(filmed.client, filmed.record_id, FILM)
    path, client = f"/clips/{only_clip(world).name}.mp4", world.client()
    tag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"Range": "bytes=0-9", "If-Range": tag}).status_code == 206
    for other in ('"other"', f"W/{tag}", "Sat, 01 Nov 2025 00:00:00 GMT"):
        assert client.get(path, headers={"Range": "bytes=0-9", "If-Range": other}).status_code == 200
    same = client.get(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", tag)
    head = client.head(path)
    assert (head.status_code, head.headers["Content-Length"], head.data) == (200, str(len(FILM)), b"")


@pytest.mark.parametrize(("codec", "ending"), [("mp4v", "mp4"), ("VP80", "webm")])
def test_what_not_every_browser_plays_is_shown_by_its_poster_and_kept(
    world: World, filmed: Filmed, tmp_path: Path, codec: str, ending: str
) -> None:
    data = drawn(tmp_path / f"x.{ending}", codec)
    send(filmed.client, filmed.record_id, data)
    clip = only_clip(world)
    assert (clip.verdict, clip.ending, clip.plays) == (ClipVerdict.READY, ending, False)
    page = world.client().get(f"/{filmed.code}").text
    assert _films(page) == 0
    assert NOT_EVERYWHERE in page
    assert f"/clips/{clip.name}-poster.webp" in page
    assert world.client().get(f"/clips/{clip.name}.mp4").status_code == 404
    original = filmed.client.get(f"/clips/{clip.name}/original")
    assert original.data == data
    assert f".{ending}" in original.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("data", "verdict", "words"),
    [
        (FILM[: len(FILM) // 2], ClipVerdict.CUT_OFF, "不完整"),
        (h264(moov_first=False)[:-200], ClipVerdict.CUT_OFF, "不完整"),
        (h264(610, columns=1, rows=1, rate=1), ClipVerdict.TOO_LONG, "超过 10 分钟"),
        (h264(1, claimed=(600, 600)), ClipVerdict.TOO_LARGE, "画面太大"),
        (BLANK, ClipVerdict.NO_PICTURE, "没有能打开的画面"),
        (b"\x00\x00\x00\x14ftypheic\x00\x00\x00\x00heic" + bytes(90), ClipVerdict.NO_CLIP, "不是能识别的视频"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_clip_that_is_none_is_told_to_its_producer_alone(
    world: World, filmed: Filmed, folder: Path, data: bytes, verdict: ClipVerdict, words: str
) -> None:
    send(filmed.client, filmed.record_id, data, "坏的.mp4", size=len(data))
    clip = only_clip(world)
    assert (clip.verdict, clip.sha256) == (verdict, hashlib.sha256(data).hexdigest())
    page = filmed.client.get(f"/records/{filmed.record_id}/clips").text
    assert "视频“坏的.mp4”没有收下" in page
    assert words in page
    assert "坏的" in filmed.client.get(f"/records/{filmed.record_id}").text
    assert "坏的" not in filmed.client.get(f"/batches/{filmed.batch_id}").text
    public = world.client().get(f"/{filmed.code}").text
    assert "坏的" not in public
    assert clip.name not in public
    assert not [path for name in ("clips", "uploads") for path in (folder / name).rglob("*") if path.is_file()]
    for path in (f"/clips/{clip.name}.mp4", f"/clips/{clip.name}-poster.webp"):
        assert world.client().get(path).status_code == 404
    assert filmed.client.get(f"/clips/{clip.name}/original").status_code == 404


def test_a_clip_of_a_lot_that_was_never_released_is_for_its_producer_and_the_authority(world: World) -> None:
    actor = world.producer()
    batch_id = world.batch(actor)
    client = world.client(actor)
    send(client, world.record(actor, batch_id), FILM)
    clip = only_clip(world)
    paths = [f"/clips/{clip.name}{end}" for end in (".mp4", "-poster.webp", "-sheet.webp")]
    for path in paths:
        for stranger in (None, world.producer(), world.regulator("530381"), world.buyer()):
            visitor = world.client(stranger) if stranger is not None else world.client()
            assert visitor.get(path).status_code == 404
            assert visitor.get(path, headers={"Range": "bytes=0-9"}).status_code == 404
        for viewer in (client, world.client(world.regulator())):
            answer = viewer.get(path)
            assert answer.status_code == 200
            assert answer.headers["Cache-Control"] == "private, no-cache"
    world.complete(actor, batch_id)
    assert client.post(f"/batches/{batch_id}/release").status_code == 302
    for path in paths:
        answer = world.client().get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]


def test_the_lots_page_and_the_records_story_show_all_that_is_known_of_it(world: World, filmed: Filmed) -> None:
    send(filmed.client, filmed.record_id, FILM)
    clip = only_clip(world)
    assert clip.sha256
    officer = world.client(world.regulator())
    for client in (filmed.client, officer):
        for path in (f"/batches/{filmed.batch_id}", f"/records/{filmed.record_id}"):
            page = client.get(path).text
            assert _films(page) == 1
            for part in (clip.sha256, "64×48", f"/clips/{clip.name}-sheet.webp", f"/clips/{clip.name}/original"):
                assert part in page
    assert f"/records/{filmed.record_id}/clips" in filmed.client.get(f"/batches/{filmed.batch_id}").text
    assert f"/records/{filmed.record_id}/clips" not in officer.get(f"/batches/{filmed.batch_id}").text
    for picture in ("poster", "sheet"):
        answer = world.client().get(f"/clips/{clip.name}-{picture}.webp")
        assert answer.mimetype == "image/webp"
        assert "immutable" in answer.headers["Cache-Control"]


def test_the_dossier_lists_clips_with_their_hashes(world: World, filmed: Filmed) -> None:
    send(filmed.client, filmed.record_id, FILM, "培土.mp4")
    clip = only_clip(world)
    file = filmed.client.get(f"/batches/{filmed.batch_id}/file.xlsx")
    rows = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(file.data)).get_sheet_by_name("视频").to_python()
    [row] = [row for row in rows if "培土.mp4" in row]
    assert clip.sha256 in row
    assert "0:02" in row
    assert "64×48 h264" in row
    assert filmed.client.get(f"/batches/{filmed.batch_id}/file.pdf").data.startswith(b"%PDF")


def test_the_api_tells_of_clips(world: World, filmed: Filmed) -> None:
    send(filmed.client, filmed.record_id, FILM)
    clip = only_clip(world)
    answer = world.client().get(f"/api/v1/batches/{filmed.batch_id}/records", headers=world.token(filmed.actor))
    [told] = [found for record in _items(answer.json) for found in record["clips"]]
    assert told["sha256"] == clip.sha256
    assert told["milliseconds"] == 2000
    assert told["film"].endswith(f"/clips/{clip.name}.mp4")
    assert told["poster"].endswith(f"/clips/{clip.name}-poster.webp")


def _items(answer: Any) -> list[dict[str, Any]]:
    return list(answer["items"] if isinstance(answer, dict) else answer)


def test_a_record_of_a_film_may_come_without_a_link_and_leads_to_where_it_is_sent(world: World, filmed: Filmed) -> None:
    values = {"happened_on": "2025-06-01", "note": "第二次培土"}
    answer = world.enter(filmed.client, filmed.batch_id, "video", **values)
    assert answer.status_code == 302
    assert answer.location.endswith("/clips")
    assert "加一段视频" in filmed.client.get(answer.location).text
    linked = world.enter(filmed.client, filmed.batch_id, "video", video_url="https://example.org/1", **values)
    assert linked.location == f"/batches/{filmed.batch_id}"
    record_id = int(answer.location.split("/")[2])
    send(filmed.client, record_id, FILM)
    page = world.client().get(f"/{filmed.code}").text
    assert _films(page) == 1
    assert 'aria-label="视频：第二次培土"' in page


@pytest.mark.parametrize("is_good", [True, False])
def test_the_trail_tells_who_added_a_clip_and_whose_was_not_taken(
    world: World, filmed: Filmed, monkeypatch: pytest.MonkeyPatch, is_good: bool
) -> None:
    added, refused = "给一条记录加了视频", "给一条记录传的视频没有收下"
    monkeypatch.setattr("trace_app.clips.uploads.jobs.enqueue", lambda *_call: None)
    send(filmed.client, filmed.record_id, FILM if is_good else BLANK)
    for path in (f"/batches/{filmed.batch_id}", "/trail"):
        page = filmed.client.get(path).text
        assert added not in page
        assert refused not in page
    with world.app.app_context():
        judge_clip(only_clip(world).id)
    for path in (f"/batches/{filmed.batch_id}", "/trail"):
        page = filmed.client.get(path).text
        assert (added in page, refused in page) == (is_good, not is_good)
    [event] = world.client(filmed.actor).get("/trail").text.split(added if is_good else refused)[1:]
    assert event


def test_the_same_clip_twice_on_a_record_is_told_of_and_shown_once(world: World, filmed: Filmed) -> None:
    send(filmed.client, filmed.record_id, FILM)
    send(filmed.client, filmed.record_id, FILM, "又一次.mp4")
    own = filmed.client.get(f"/records/{filmed.record_id}/clips").text
    assert "视频“又一次.mp4”与前面的一段完全相同，只显示一次。" in own
    for page in (
        own,
        filmed.client.get(f"/batches/{filmed.batch_id}").text,
        world.client().get(f"/{filmed.code}").text,
    ):
        assert _films(page) == 1
    # On another record it is another thing that was filmed.
    other = world.record(filmed.actor, filmed.batch_id, note="除草")
    send(filmed.client, other, FILM)
    assert _films(filmed.client.get(f"/records/{other}/clips").text) == 1
    assert _films(filmed.client.get(f"/batches/{filmed.batch_id}").text) == 2


def test_a_refusal_is_told_for_a_week(filmed: Filmed, monkeypatch: pytest.MonkeyPatch) -> None:
    send(filmed.client, filmed.record_id, BLANK, "坏的.mp4")
    path, words = f"/records/{filmed.record_id}/clips", "视频“坏的.mp4”没有收下"
    for days, is_told in ((6, True), (8, False)):
        later = utc_now() + timedelta(days=days)
        monkeypatch.setattr("trace_app.records.models.utc_now", lambda later=later: later)
        assert (words in filmed.client.get(path).text) is is_told


def test_before_sending_one_reads_what_plays(filmed: Filmed) -> None:
    page = filmed.client.get(f"/records/{filmed.record_id}/clips").text
    assert page.index("MP4（H.264）能在网页上播放；其他格式只留存备查") < page.index(">上传<")


@pytest.mark.parametrize(
    ("amount", "words"),
    [(0, "0 KB"), (1, "1 KB"), (36 << 10, "36 KB"), (200 << 10, "0.2 MB"), (5 << 20, "5.0 MB"), (48 << 20, "48 MB")],
)
def test_sizes_are_said_as_people_say_them(amount: int, words: str) -> None:
    assert file_size(amount) == words


def test_a_clip_of_a_whole_site_is_on_the_pages_of_its_lots(world: World) -> None:
    actor = world.producer()
    site_id = world.site(actor)
    batch_id, code = world.labelled(actor, site_id=site_id)
    client = world.client(actor)
    answer = client.post(
        "/field/ginger/care",
        data={
            "scope": "site",
            "site_id": str(site_id),
            "season_until": "2025-12-31",
            "happened_on": "2025-06-01",
            "note": "全园除草",
        },
    )
    assert answer.status_code == 302, answer.text
    with world.app.app_context():
        record_id = db.session.execute(db.text("SELECT max(id) FROM records")).scalar_one()
    version = world.version(batch_id)
    send(client, record_id, FILM)
    assert world.version(batch_id) > version
    assert _films(world.client().get(f"/{code}").text) == 1


def test_english_pages_speak_english_of_clips(world: World, filmed: Filmed) -> None:
    send(filmed.client, filmed.record_id, FILM)
    page = world.client(language="en").get(f"/{filmed.code}").text
    assert "Video 0:02" in page
    page = world.client(filmed.actor, language="en").get(f"/records/{filmed.record_id}/clips").text
    assert "Add a video" in page


# ---- the store


def test_the_check_of_all_media_reads_clips_too(world: World, filmed: Filmed, folder: Path) -> None:
    send(filmed.client, filmed.record_id, FILM)
    send(filmed.client, filmed.record_id, FILM[: len(FILM) // 2])
    [clip] = [clip for clip in clips(world) if clip.verdict is ClipVerdict.READY]
    result = world.app.test_cli_runner().invoke(args=["media", "check"])
    assert result.output == "3 files: 0 missing, 0 altered.\n"
    data = bytearray(FILM)
    data[-1] ^= 1
    (folder / clip.key).write_bytes(data)
    (folder / clip.sheet_key).unlink()
    result = world.app.test_cli_runner().invoke(args=["media", "check"])
    assert result.exit_code == 1
    assert f"altered  {clip.key}" in result.output
    assert f"missing  {clip.sheet_key}" in result.output


def test_a_clip_that_the_store_has_lost_is_not_found(world: World, filmed: Filmed, folder: Path) -> None:
    send(filmed.client, filmed.record_id, FILM)
    clip = only_clip(world)
    for key in (clip.key, clip.poster_key):
        (folder / key).unlink()
    assert world.client().get(f"/clips/{clip.name}.mp4").status_code == 404
    assert world.client().get(f"/clips/{clip.name}.mp4", headers={"Range": "bytes=0-5"}).status_code == 404
    assert world.client().get(f"/clips/{clip.name}-poster.webp").status_code == 404
    # The page goes on.
    assert _films(world.client().get(f"/{filmed.code}").text) == 1


def test_what_is_known_of_a_clip_is_known_whole_or_not_at_all(world: World, filmed: Filmed) -> None:
    send(filmed.client, filmed.record_id, FILM)
    wrong = (
        {"verdict": "ready"},
        {"width": 5},
        {"sha256": "0" * 64},
        {"verdict": "cut_off", "sha256": "0" * 64},
        {"bytes": 0},
        {"bytes": 600_000_000},
    )
    for values in wrong:
        row = {"name": "n", "organisation_id": filmed.actor.organisation_id, "file_name": "a", "bytes": 5, **values}
        row["created_at"] = only_clip(world).created_at
        with world.app.app_context(), pytest.raises(sa.exc.IntegrityError, match="ck_clips"):
            db.session.execute(db.insert(Clip.__table__).values(row))
