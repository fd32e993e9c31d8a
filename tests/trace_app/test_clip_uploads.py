"""Clips on their way in: by tus 1.0, over lines that drop, and by a plain form."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from media_store import LocalStore, MediaNotFound, StoreUnavailable
from media_store.clips import MAX_BYTES
from media_store.s3 import S3Store
from tests.films import h264
from tests.media_store.test_stores import KEY, SECRET, s3_endpoint
from tests.trace_app.clipping import TUS, UPLOADS, begin, clips, metadata, offset_of, only_clip, patch, send
from tests.world import Actor, World, at_once
from trace_app.clips.at_work import at_work
from trace_app.clips.judging import judge_clip
from trace_app.clips.models import ClipPart, ClipUpload
from trace_app.clips.uploads import MAX_CLIPS, MOST_UNFINISHED, PART_MB, look_after_clips
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.media.models import ClipVerdict

pytestmark = pytest.mark.either_database

__all__ = ["s3_endpoint"]


FILM = h264()


@pytest.fixture
def folder(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the media store keeps its files in this test."""
    monkeypatch.setitem(world.app.extensions, "media_store", LocalStore(tmp_path / "media"))
    return tmp_path / "media"


def _record(world: World, actor: Actor | None = None) -> tuple[Actor, int, int]:
    actor = actor or world.producer()
    batch_id = world.released(actor)
    return actor, batch_id, world.record(actor, batch_id)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


class BrokenOff(io.BytesIO):
    """A body whose sender goes away after some bytes."""

    def __init__(self, data: bytes, after: int) -> None:
        super().__init__(data)
        self.after = after

    def read(self, size: int | None = -1, /) -> bytes:
        left = self.after - self.tell()
        if left <= 0:
            raise OSError("the line is down")
        return super().read(left if size is None or size < 0 else min(size, left))

    def readinto(self, buffer: Any, /) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def test_a_clip_in_parts_is_one_clip_with_the_hash_of_the_file(world: World, folder: Path) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    place = send(client, record_id, FILM, "田里 培土.mp4")
    clip = only_clip(world)
    assert clip.sha256 == hashlib.sha256(FILM).hexdigest()
    assert (clip.bytes, clip.file_name, clip.created_by_id) == (len(FILM), "田里 培土.mp4", actor.user_id)
    assert (clip.width, clip.height, clip.milliseconds, clip.codec) == (64, 48, 2000, "h264")
    # The clip, its poster and its frames; of its parts nothing is left.
    assert len(_files(folder)) == 3
    assert (folder / clip.key).read_bytes() == FILM
    # Who did not hear the last answer asks again.
    assert offset_of(client, place) == len(FILM)
    assert not list((Path(world.app.config["SETTINGS"].folder) / "clips-at-work").iterdir())


def test_what_came_before_the_line_dropped_is_not_sent_again(world: World, folder: Path) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    place = begin(client, record_id, len(FILM)).location
    assert offset_of(client, place) == 0
    patch(client, place, 0, input_stream=BrokenOff(FILM, 30_000))
    assert offset_of(client, place) == 30_000
    # Another browser, another day.
    client = world.client(actor)
    assert patch(client, place, 30_000, FILM[30_000:]).status_code == 204
    assert only_clip(world).sha256 == hashlib.sha256(FILM).hexdigest()


def test_a_part_that_is_sent_twice_counts_once(world: World, folder: Path) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    place = begin(client, record_id, len(FILM)).location
    assert patch(client, place, 0, FILM[:1000]).status_code == 204
    for offset in (0, 999, 1001, len(FILM)):
        answer = patch(client, place, offset, FILM[:1000])
        assert answer.status_code == 409
        assert offset_of(client, place) == 1000
    assert len(_files(folder)) == 1


def test_two_who_send_the_same_part_at_once_come_to_one_clip(world: World, folder: Path) -> None:
    actor, _batch_id, record_id = _record(world)
    clients = [world.client(actor) for _number in range(3)]
    place = begin(clients[0], record_id, len(FILM)).location
    for start, end in ((0, 20_000), (20_000, len(FILM))):
        answers = at_once(
            [lambda one=one, s=start, e=end: patch(one, place, s, FILM[s:e]).status_code for one in clients]
        )
        assert sorted(answers) == [204, 409, 409]
    assert only_clip(world).sha256 == hashlib.sha256(FILM).hexdigest()
    assert len(_files(folder)) == 3


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_part_that_was_changed_on_its_way_is_not_taken(world: World, folder: Path, algorithm: str) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    place = begin(client, record_id, len(FILM)).location
    digest = base64.b64encode(hashlib.new(algorithm, FILM[:5000]).digest()).decode()
    headers = {"Upload-Checksum": f"{algorithm} {digest}"}
    assert patch(client, place, 0, b"\x01" + FILM[1:5000], headers=headers).status_code == 460
    assert offset_of(client, place) == 0
    assert _files(folder) == []
    assert patch(client, place, 0, FILM[:5000], headers=headers).status_code == 204


def test_the_protocol_is_kept_to(world: World, folder: Path) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    answer = client.options(UPLOADS)
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Extension"] == "creation,termination,checksum"
    assert answer.headers["Tus-Max-Size"] == str(MAX_BYTES)
    begun = begin(client, record_id, 500)
    assert begun.headers["Tus-Resumable"] == "1.0.0"
    place = begun.location
    assert begin(client, record_id, 500, **{"Tus-Resumable": "0.2.2"}).status_code == 412
    assert patch(client, place, 0, b"x", headers={"Tus-Resumable": "2.0.0"}).status_code == 412
    assert client.head(place).status_code == 412
    assert patch(client, place, 0, b"x", headers={"Content-Type": "video/mp4"}).status_code == 415
    for wrong in ("", "-1", "1.5", "٣", "9" * 20, "x"):
        assert patch(client, place, wrong, b"x").status_code == 400, wrong
        assert begin(client, record_id, wrong).status_code == 400, wrong
    for record in ("", "x", "²", "9" * 12, "-1"):
        assert begin(client, record, 500).status_code == 400, record
    for told in ("record", "record !!!", "filename AAAA", ",,,", "record AP8="):
        assert begin(client, record_id, 500, **{"Upload-Metadata": told}).status_code == 400, told
    assert patch(client, place, 0, b"x", headers={"Upload-Checksum": "crc32 AAAA"}).status_code == 400
    assert patch(client, place, 0, b"x", headers={"Upload-Checksum": "sha1 ???"}).status_code == 460
    assert offset_of(client, place) == 0
    assert client.delete(place, headers={**TUS, "X-CSRFToken": client.token()}).status_code == 204
    assert client.head(place, headers=TUS).status_code == 404
    assert patch(client, place, 0, b"x").status_code == 404


@pytest.mark.parametrize(
    ("name", "length", "status", "words"),
    [
        ("a.mp4", 0, 422, "空文件"),
        ("a.mp4", MAX_BYTES + 1, 413, "500 MB"),
        ("C:\\fakepath\\" + "长" * 200 + ".mp4", 500, 201, ""),
        ("a\x00\u202e\n.mp4", 500, 201, ""),
        ("", 500, 201, ""),
    ],
)
def test_what_is_too_large_or_empty_is_said_before_anything_is_sent(
    world: World, name: str, length: int, status: int, words: str
) -> None:
    actor, _batch_id, record_id = _record(world)
    answer = begin(world.client(actor), record_id, length, name)
    assert answer.status_code == status
    assert words in answer.text
    assert "fakepath" not in answer.text


def test_more_than_was_announced_or_than_a_part_may_have_is_refused(world: World, folder: Path) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    place = begin(client, record_id, 100).location
    assert patch(client, place, 0, FILM[:101]).status_code == 413
    place = begin(client, record_id, MAX_BYTES).location
    assert patch(client, place, 0, bytes((PART_MB << 20) + 1)).status_code == 413
    assert offset_of(client, place) == 0
    assert _files(folder) == []
    assert patch(client, place, 0, FILM[:100] + bytes((PART_MB << 20) - 100)).status_code == 204


@pytest.mark.parametrize(
    "data",
    [
        b"ffconcat version 1.0\nfile 'other.mp4'\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x7fELF\x02\x01\x01" + bytes(50),
        b"MZ\x90\x00" + bytes(50),
        bytes(500),
        b"x",
    ],
    ids=lambda data: repr(data[:8]),
)
def test_what_is_no_clip_is_told_with_its_first_part(world: World, folder: Path, data: bytes) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    place = begin(client, record_id, len(data), "培土.mp4").location
    answer = patch(client, place, 0, data)
    assert answer.status_code == 422
    assert answer.mimetype == "text/plain"
    assert "“培土.mp4”不是能识别的视频" in answer.text
    assert _files(folder) == []
    assert clips(world) == []
    assert client.head(place, headers=TUS).status_code == 404


def test_who_may_not_add_to_a_record_may_not_send(world: World, folder: Path) -> None:
    actor, _batch_id, record_id = _record(world)
    other = world.client(world.producer())
    assert begin(other, record_id, 500).status_code == 404
    assert begin(world.client(actor), 999_999, 500).status_code == 404
    place = begin(world.client(actor), record_id, len(FILM)).location
    assert other.head(place, headers=TUS).status_code == 404
    assert patch(other, place, 0, FILM).status_code == 404
    assert other.delete(place, headers={**TUS, "X-CSRFToken": other.token()}).status_code == 404
    assert other.post(f"{place}/give-up").status_code == 404
    for stranger in (world.regulator(), world.buyer()):
        assert begin(world.client(stranger), record_id, 500).status_code == 403
    nobody = world.client()
    assert patch(nobody, place, 0, FILM).status_code in {302, 401}
    assert offset_of(world.client(actor), place) == 0


def test_a_part_without_the_pages_token_is_refused(world: World, folder: Path) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    place = begin(client, record_id, len(FILM)).location
    for token in ("", "wrong"):
        assert patch(client, place, 0, FILM, headers={"X-CSRFToken": token}).status_code == 400
        assert client.delete(place, headers={**TUS, "X-CSRFToken": token}).status_code == 400
        refused = begin(client, record_id, 500, **{"X-CSRFToken": token})
        assert (refused.status_code, refused.mimetype) == (400, "text/plain")
    assert offset_of(client, place) == 0


def test_so_many_may_be_under_way_and_one_that_is_given_up_makes_room(world: World, folder: Path) -> None:
    actor, batch_id, _first = _record(world)
    records = [world.record(actor, batch_id) for _number in range(MOST_UNFINISHED + 1)]
    client = world.client(actor)
    places = [begin(client, record_id, len(FILM)).location for record_id in records[:-1]]
    refused = begin(client, records[-1], len(FILM))
    assert refused.status_code == 422
    assert f"有 {MOST_UNFINISHED} 段视频还没有传完" in refused.text
    patch(client, places[0], 0, FILM[:500])
    page = client.get(f"/records/{records[1]}/clips").text
    assert page.count("放弃") == MOST_UNFINISHED
    assert f"/records/{records[0]}/clips" in page
    assert client.post(f"{places[0]}/give-up").status_code == 302
    assert _files(folder) == []
    assert begin(client, records[-1], len(FILM)).status_code == 201
    # Another organisation has its own.
    other, _batch, record_id = _record(world)
    assert begin(world.client(other), record_id, len(FILM)).status_code == 201


def test_of_those_who_ask_for_the_last_place_at_once_one_gets_it(world: World, folder: Path) -> None:
    actor, batch_id, _first = _record(world)
    records = [world.record(actor, batch_id) for _number in range(MOST_UNFINISHED + 3)]
    clients = [world.client(actor) for _number in range(4)]
    for record_id in records[: MOST_UNFINISHED - 1]:
        begin(clients[0], record_id, len(FILM))
    answers = at_once(
        [
            lambda one=one, r=record_id: begin(one, r, len(FILM)).status_code
            for one, record_id in zip(clients, records[MOST_UNFINISHED - 1 :], strict=True)
        ]
    )
    assert sorted(answers) == [201, 422, 422, 422]


def test_a_record_has_so_many_clips_and_those_that_were_refused_do_not_count(world: World, folder: Path) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    send(client, record_id, FILM[: len(FILM) // 2])
    for _number in range(MAX_CLIPS):
        send(client, record_id, FILM)
    assert [clip.verdict for clip in clips(world)] == [ClipVerdict.CUT_OFF] + [ClipVerdict.READY] * MAX_CLIPS
    refused = begin(client, record_id, len(FILM))
    assert refused.status_code == 422
    assert f"已经有 {MAX_CLIPS} 段" in refused.text
    assert "不能再加" in client.get(f"/records/{record_id}/clips").text


def test_what_nobody_goes_on_with_goes_after_days(world: World, folder: Path) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    old, new = (begin(client, record_id, len(FILM)).location for _number in range(2))
    for place in (old, new):
        patch(client, place, 0, FILM[:500])
    done = send(client, record_id, FILM)
    with world.writing():
        names = [place.rpartition("/")[2] for place in (old, done)]
        db.session.execute(
            sa.update(ClipUpload).where(ClipUpload.name.in_(names)).values(touched_at=utc_now() - timedelta(days=8))
        )
    with world.app.app_context():
        look_after_clips()
    assert client.head(old, headers=TUS).status_code == 404
    assert client.head(done, headers=TUS).status_code == 404
    assert offset_of(client, new) == 500
    clip = only_clip(world)
    assert (folder / clip.key).read_bytes() == FILM
    assert len(_files(folder)) == 4


def test_a_clip_whose_job_was_lost_is_looked_at_later(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    monkeypatch.setattr("trace_app.clips.uploads.jobs.enqueue", lambda *_call: None)
    send(client, record_id, FILM)
    monkeypatch.undo()
    monkeypatch.setitem(world.app.extensions, "media_store", LocalStore(folder))
    assert only_clip(world).verdict is None
    assert "已收到，正在检查" in client.get(f"/records/{record_id}/clips").text
    with world.app.app_context():
        look_after_clips()
    # Not yet: its job may be on its way.
    assert only_clip(world).verdict is None
    monkeypatch.setattr("trace_app.clips.uploads.OVERDUE", timedelta())
    with world.app.app_context():
        look_after_clips()
    assert only_clip(world).verdict is ClipVerdict.READY
    assert "已收到，正在检查" not in client.get(f"/records/{record_id}/clips").text


def _waiting_clip(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[int, Path]:
    """A clip that nobody has looked at yet, and the folder where that is done."""
    actor, _batch_id, record_id = _record(world)
    with monkeypatch.context() as patched:
        patched.setattr("trace_app.clips.uploads.jobs.enqueue", lambda *_call: None)
        send(world.client(actor), record_id, FILM)
    folder = Path(world.app.config["SETTINGS"].folder) / "clips-at-work"
    folder.mkdir(exist_ok=True)
    return only_clip(world).id, folder


def _judge(world: World, clip_id: int) -> ClipVerdict | None:
    with world.app.app_context():
        judge_clip(clip_id)
    return only_clip(world).verdict


_DIES = """
import os, sys
from pathlib import Path
from trace_app.clips.at_work import at_work
with at_work(Path(sys.argv[1]), int(sys.argv[2])) as work:
    work.path.write_bytes(bytes(100_000))
    os._exit(9)
"""


@pytest.mark.parametrize(("deaths", "verdict"), [(1, ClipVerdict.READY), (2, ClipVerdict.NO_PICTURE)])
def test_a_clip_of_which_consumers_die_is_not_taken_up_for_ever(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch, deaths: int, verdict: ClipVerdict
) -> None:
    clip_id, at_work_folder = _waiting_clip(world, monkeypatch)
    for _number in range(deaths):
        died = subprocess.run([sys.executable, "-c", _DIES, str(at_work_folder), str(clip_id)], check=False)
        assert died.returncode == 9
        # Of those before it left nothing but the last one's copy.
        assert len([path for path in at_work_folder.rglob("clip") if path.is_file()]) == 1
    assert _judge(world, clip_id) is verdict
    assert only_clip(world).sha256 == hashlib.sha256(FILM).hexdigest()
    assert not list(at_work_folder.iterdir())


def test_a_clip_that_takes_all_memory_is_not_taken_up_for_ever(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip_id, _at_work_folder = _waiting_clip(world, monkeypatch)

    def without_end(_path: str) -> None:
        raise MemoryError

    monkeypatch.setattr("trace_app.clips.judging.seen_in_clip", without_end)
    for _number in range(2):
        with pytest.raises(MemoryError):
            _judge(world, clip_id)
    assert _judge(world, clip_id) is ClipVerdict.NO_PICTURE


def test_what_a_consumer_has_left_that_died_goes_when_another_clip_is_taken_up(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip_id, at_work_folder = _waiting_clip(world, monkeypatch)
    subprocess.run([sys.executable, "-c", _DIES, str(at_work_folder), str(clip_id + 1)], check=False)
    assert list(at_work_folder.rglob("clip"))
    assert _judge(world, clip_id) is ClipVerdict.READY
    assert not list(at_work_folder.rglob("clip"))


def test_a_clip_that_a_consumer_has_is_left_to_it(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip_id, at_work_folder = _waiting_clip(world, monkeypatch)
    with at_work(at_work_folder, clip_id) as work:
        assert work is not None
        work.path.write_bytes(b"x")
        assert _judge(world, clip_id) is None
        with world.app.app_context():
            look_after_clips()
        assert work.path.exists()
    assert _judge(world, clip_id) is ClipVerdict.READY


class AwayFor(LocalStore):
    """A store that takes no clips for a while."""

    away = True

    def put(self, key: str, content: Any, content_type: str) -> None:
        if self.away and key.startswith("clips/"):
            raise StoreUnavailable("away")
        super().put(key, content, content_type)


def test_with_the_store_away_a_clip_waits_and_nothing_of_it_is_lost(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = AwayFor(folder)
    monkeypatch.setitem(world.app.extensions, "media_store", store)
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    send(client, record_id, FILM)
    assert only_clip(world).verdict is None
    monkeypatch.setattr("trace_app.clips.uploads.OVERDUE", timedelta())
    for _number in range(3):
        with world.app.app_context():
            look_after_clips()
        assert only_clip(world).verdict is None
    store.away = False
    with world.app.app_context():
        look_after_clips()
    assert only_clip(world).sha256 == hashlib.sha256(FILM).hexdigest()


def test_a_part_that_the_store_does_not_take_is_asked_for_again(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    place = begin(client, record_id, len(FILM)).location
    (folder.parent / "in-the-way").write_text("")
    monkeypatch.setitem(world.app.extensions, "media_store", LocalStore(folder.parent / "in-the-way"))
    assert patch(client, place, 0, FILM[:500]).status_code == 503
    monkeypatch.setitem(world.app.extensions, "media_store", LocalStore(folder))
    assert offset_of(client, place) == 0
    assert patch(client, place, 0, FILM).status_code == 204


def test_a_clip_goes_to_the_record_that_took_the_place_of_its_own_meanwhile(world: World, folder: Path) -> None:
    actor, batch_id, record_id = _record(world)
    client = world.client(actor)
    place = begin(client, record_id, len(FILM)).location
    patch(client, place, 0, FILM[:500])
    answer = client.post(
        f"/field/records/{record_id}/correct",
        data={"happened_on": "2025-06-02", "note": "除草两遍", "correction_reason": "记错了"},
    )
    assert answer.status_code == 302, answer.text
    assert patch(client, place, 500, FILM[500:]).status_code == 204
    page = client.get(f"/batches/{batch_id}").text
    [newer] = [part for part in page.split('<li id="record-') if "除草两遍" in part]
    assert "<video" in newer
    assert page.count("<video") == 1


def test_a_correction_carries_the_clips_of_what_it_corrects(world: World, folder: Path) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    send(client, record_id, FILM)
    data = {"happened_on": "2025-06-02", "note": "除草两遍", "correction_reason": "记错了"}
    assert client.post(f"/field/records/{record_id}/correct", data=data).status_code == 302
    assert client.get(f"/records/{record_id}/clips").text.count("<video") == 1


@pytest.mark.parametrize("how", ["recall", "close"])
def test_a_lot_that_takes_no_records_takes_no_clips(world: World, folder: Path, how: str) -> None:
    actor, batch_id, record_id = _record(world)
    client = world.client(actor)
    place = begin(client, record_id, len(FILM)).location
    patch(client, place, 0, FILM[:500])
    if how == "recall":
        world.recall(world.regulator(), batch_id)
    else:
        assert client.post(f"/batches/{batch_id}/close").status_code == 302
    words = "已召回，此操作已停用" if how == "recall" else "已结束，不能再登记"
    for answer in (begin(client, record_id, len(FILM)), patch(client, place, 500, FILM[500:])):
        # Not a conflict, which clients of tus try again.
        assert (answer.status_code, answer.mimetype) == (422, "text/plain")
        assert words in answer.text
    page = client.get(f"/records/{record_id}/clips").text
    assert words in page
    assert 'type="file"' not in page
    assert clips(world) == []
    assert len(_files(folder)) == 1


def test_a_browser_without_scripts_sends_a_clip_by_the_form(world: World, folder: Path) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    path = f"/records/{record_id}/clips"
    answer = client.post(path, data={"clip": (io.BytesIO(FILM), "VID_1.mp4")})
    assert answer.status_code == 302
    assert "<video" in client.get(answer.location).text
    assert only_clip(world).sha256 == hashlib.sha256(FILM).hexdigest()
    for content, words in ((b"", "空文件"), (b"not a film at all", "不是能识别的视频")):
        answer = client.post(path, data={"clip": (io.BytesIO(content), "VID_2.mp4")})
        assert answer.status_code == 422
        assert words in answer.text
    answer = client.post(path, data={})
    assert answer.status_code == 422
    assert "请选择一段视频" in answer.text
    with world.app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(ClipPart)) == 0
        assert db.session.scalar(sa.select(sa.func.count()).select_from(ClipUpload).filter_by(clip_id=None)) == 0


def test_a_bucket_keeps_clips_as_a_folder_does(world: World, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = S3Store("media", endpoint_url=s3_endpoint, region="us-east-1", access_key=KEY, secret_key=SECRET)
    monkeypatch.setitem(world.app.extensions, "media_store", store)
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    place = begin(client, record_id, len(FILM)).location
    patch(client, place, 0, FILM[:20_000])
    with world.app.app_context():
        [part] = [row.key for row in db.session.scalars(sa.select(ClipPart))]
    assert store.size(part) == 20_000
    patch(client, place, 20_000, FILM[20_000:])
    clip = only_clip(world)
    assert clip.sha256 == hashlib.sha256(FILM).hexdigest()
    with pytest.raises(MediaNotFound):
        store.size(part)
    path = f"/clips/{clip.name}"
    assert client.get(f"{path}/original").data == FILM
    assert client.get(f"{path}/original", headers={"Range": "bytes=30000-30099"}).data == FILM[30_000:30_100]
    assert client.get(f"{path}.mp4", headers={"Range": "bytes=0-"}).status_code == 206
    assert client.get(f"{path}-poster.webp").mimetype == "image/webp"
    place = begin(client, record_id, len(FILM)).location
    patch(client, place, 0, FILM[:20_000])
    with world.app.app_context():
        [part] = [row.key for row in db.session.scalars(sa.select(ClipPart))]
    client.post(f"{place}/give-up")
    with pytest.raises(MediaNotFound):
        store.size(part)


def test_names_of_files_are_shown_as_text(world: World, folder: Path) -> None:
    actor, _batch_id, record_id = _record(world)
    client = world.client(actor)
    send(client, record_id, FILM[: len(FILM) // 2], "<script>alert(1)</script>.mp4")
    page = client.get(f"/records/{record_id}/clips").text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;" in page or "script&gt;.mp4" in page


def test_metadata_is_what_tus_says_it_is() -> None:
    assert metadata(record=1, filename="a") == "record MQ==,filename YQ=="
