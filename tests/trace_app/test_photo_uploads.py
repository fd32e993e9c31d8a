"""Photos that come after what they belong to: told of with it, then sent part by part by whoever knows their names."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from PIL import Image

from media_store import LocalStore
from tests.trace_app.clipping import PART_TYPE, TUS, metadata
from tests.trace_app.test_shipping import _ship
from tests.world import Actor, World, photo
from trace_app.arrivals.models import PhotoArrival, PhotoPart
from trace_app.arrivals.service import DAYS_KEPT, let_old_arrivals_go
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.media.models import Photo
from trace_app.recall_tasks.service import tell_everyone
from trace_app.recalls.models import Recall

NAMES = [f"{number:032x}" for number in range(1, 20)]
UPLOADS = "/photo-uploads"
CARE = {"happened_on": "2025-06-01", "note": "除草"}


@pytest.fixture
def folder(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the media store keeps its files in this test."""
    monkeypatch.setitem(world.app.extensions, "media_store", LocalStore(tmp_path / "media"))
    return tmp_path / "media"


def _begin(client: FlaskClient, name: str, length: object, **told: object) -> Any:
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata(name=name, **told)}
    return client.post(UPLOADS, data=b"", headers=headers)


def _part(client: FlaskClient, name: str, offset: object, data: bytes) -> Any:
    headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": PART_TYPE}
    return client.patch(f"{UPLOADS}/{name}", data=data, headers=headers)


def _offset(client: FlaskClient, name: str) -> int:
    answer = client.head(f"{UPLOADS}/{name}", headers=TUS)
    assert answer.status_code == 200
    return int(answer.headers["Upload-Offset"])


def _send(client: FlaskClient, name: str, data: bytes, size: int = 999, **told: object) -> None:
    begun = _begin(client, name, len(data), **told)
    assert begun.status_code == 201, begun.text
    assert begun.location == f"{UPLOADS}/{name}"
    for start in range(0, len(data), size):
        answer = _part(client, name, start, data[start : start + size])
        assert answer.status_code == 204, answer.text
        assert int(answer.headers["Upload-Offset"]) == min(start + size, len(data))


def _enter(world: World, grower: Actor, names: list[str]) -> int:
    batch_id = world.batch(grower)
    answer = world.enter(world.client(grower), batch_id, "care", **CARE, photos_to_come=names)
    assert answer.status_code == 302, answer.text
    return batch_id


def _waiting(page: str) -> list[str]:
    return re.findall(r"还有 (\d+) 张照片在手机里", page)


def _photos(world: World) -> list[Photo]:
    with world.app.app_context():
        rows = list(db.session.scalars(db.select(Photo).order_by(Photo.id)))
        for row in rows:
            db.session.expunge(row)
        return rows


def test_a_record_counts_at_once_and_its_photos_follow_one_by_one(world: World, folder: Path) -> None:
    grower = world.producer()
    batch_id = _enter(world, grower, NAMES[:2])
    client, sender = world.client(grower), world.client()
    page = client.get(f"/batches/{batch_id}").text
    assert "除草" in page
    assert _waiting(page) == ["2"]
    before = world.version(batch_id)
    # Whoever has the phone sends them, also when nobody is signed in any more.
    _send(sender, NAMES[0], photo("green"))
    page = client.get(f"/batches/{batch_id}").text
    assert (_waiting(page), page.count("-small.webp")) == (["1"], 1)
    assert world.version(batch_id) > before
    _send(sender, NAMES[1], photo("red"))
    page = client.get(f"/batches/{batch_id}").text
    assert (_waiting(page), page.count("-small.webp")) == ([], 2)
    story = re.search(r"/records/\d+", page)
    assert story
    assert client.get(story[0]).text.count("-small.webp") == 2
    # The parts are gone; two pictures and their small ones are left.
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 4


def test_a_photo_goes_on_where_its_line_dropped_and_is_never_there_twice(world: World, folder: Path) -> None:
    _enter(world, world.producer(), NAMES[:1])
    sender, data = world.client(), photo("green", (900, 700))
    assert _begin(sender, NAMES[0], len(data)).status_code == 201
    half = len(data) // 2
    assert _part(sender, NAMES[0], 0, data[:half]).status_code == 204
    # The answer was lost: the same part once more, and one that leaves something out.
    assert _part(sender, NAMES[0], 0, data[:half]).status_code == 409
    assert _part(sender, NAMES[0], half + 1, data[half + 1 :]).status_code == 409
    assert _begin(sender, NAMES[0], len(data)).status_code == 201
    assert _offset(sender, NAMES[0]) == half
    assert _part(sender, NAMES[0], half, data[half:]).status_code == 204
    # Its last answer was lost, too.
    assert _begin(sender, NAMES[0], len(data)).status_code == 201
    assert _offset(sender, NAMES[0]) == len(data)
    assert _part(sender, NAMES[0], len(data), b"").status_code == 204
    assert len(_photos(world)) == 1


def test_an_entry_that_is_sent_twice_waits_for_its_photos_once(world: World, folder: Path) -> None:
    grower = world.producer()
    batch_id = world.batch(grower)
    for _attempt in range(2):
        answer = world.enter(
            world.client(grower),
            batch_id,
            "care",
            **CARE,
            entry_key="0c9a1b44-0000-4000-8000-000000000001",
            photos_to_come=NAMES[:3],
        )
        assert answer.status_code == 302
    assert _waiting(world.client(grower).get(f"/batches/{batch_id}").text) == ["3"]


def test_photos_that_come_after_a_correction_stand_with_the_correction(world: World, folder: Path) -> None:
    grower = world.producer()
    batch_id = _enter(world, grower, NAMES[:2])
    client = world.client(grower)
    record = re.search(r"/records/(\d+)", client.get(f"/batches/{batch_id}").text)
    assert record
    _send(client, NAMES[0], photo("green"))
    corrected = {**CARE, "note": "除草并清沟", "correction_reason": "漏记", "photos_to_come": NAMES[2]}
    assert client.post(f"/field/records/{record[1]}/correct", data=corrected).status_code == 302
    for name in NAMES[1:3]:
        _send(client, name, photo("red"))
    story = client.get(f"/records/{record[1]}").text
    # One with the old record; with the correction that one and those that came.
    assert story.count("-small.webp") == 1 + 3
    assert _waiting(story) == []


def test_a_photo_for_a_lot_that_was_closed_meanwhile_still_arrives(world: World, folder: Path) -> None:
    grower = world.producer()
    batch_id, client = world.released(grower), world.client(grower)
    assert world.enter(client, batch_id, "care", **CARE, photos_to_come=NAMES[:1]).status_code == 302
    assert client.post(f"/batches/{batch_id}/close").status_code == 302
    assert world.enter(client, batch_id, "care", **CARE).status_code != 302
    _send(world.client(), NAMES[0], photo())
    assert client.get(f"/batches/{batch_id}").text.count("-small.webp") == 1


def test_when_and_where_a_photo_was_taken_is_kept_and_not_shown_to_the_public(world: World, folder: Path) -> None:
    _enter(world, world.producer(), NAMES[:3])
    sender = world.client()
    _send(sender, NAMES[0], photo(), taken="2025:06:01 08:30:00", lat="24.88", lon="104.31")
    _send(sender, NAMES[1], photo(), taken="yesterday", lat="NaN", lon="104.31")
    # Sent as it is, with its own notes, which count.
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2025:06:02 09:00:00"
    exif.get_ifd(0x8769)[0x9011] = "+00:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (24.0, 30.0, 0.0), 3: "E", 4: (104.0, 15.0, 36.0)})
    _send(sender, NAMES[2], photo(exif=exif), taken="2020:01:01 00:00:00")
    first, second, third = _photos(world)
    assert first.taken_at == datetime(2025, 6, 1, 0, 30, tzinfo=UTC)
    assert (first.latitude, first.longitude) == (Decimal("24.88"), Decimal("104.31"))
    assert (second.taken_at, second.latitude, second.longitude) == (None, None, None)
    assert third.taken_at == datetime(2025, 6, 2, 9, tzinfo=UTC)
    assert (third.latitude, third.longitude) == (Decimal("24.5"), Decimal("104.26"))
    sent = Image.open(io.BytesIO(sender.get(f"/media/{third.name}.webp").data))
    assert not sent.getexif()


@pytest.mark.parametrize(
    ("name", "length", "status"),
    [
        (NAMES[9], 100, 404),
        ("short", 100, 400),
        (NAMES[0].upper().replace("0", "A"), 100, 400),
        (NAMES[0], 0, 422),
        (NAMES[0], 21 * 1024 * 1024, 413),
        (NAMES[0], "9" * 30, 400),
        (NAMES[0], "-1", 400),
    ],
)
def test_what_was_not_told_of_or_can_be_no_photo_is_not_taken(
    world: World, folder: Path, name: str, length: object, status: int
) -> None:
    _enter(world, world.producer(), NAMES[:1])
    assert _begin(world.client(), name, length).status_code == status


def test_more_than_was_told_is_not_taken_and_what_is_no_photo_is_waited_for_no_longer(
    world: World, folder: Path
) -> None:
    grower = world.producer()
    batch_id = _enter(world, grower, NAMES[:2])
    sender = world.client()
    assert _begin(sender, NAMES[0], 10).status_code == 201
    assert _part(sender, NAMES[0], 0, b"x" * 11).status_code == 413
    assert _part(sender, NAMES[0], 0, b"x" * 4).status_code == 204
    answer = _part(sender, NAMES[0], 4, b"x" * 6)
    assert (answer.status_code, "不是能打开的照片" in answer.text) == (422, True)
    assert _begin(sender, NAMES[0], 10).status_code == 422
    assert _waiting(world.client(grower).get(f"/batches/{batch_id}").text) == ["1"]
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_more_photos_than_a_record_may_have_are_refused_beside_the_field(world: World) -> None:
    grower = world.producer()
    batch_id = world.batch(grower)
    answer = world.enter(world.client(grower), batch_id, "care", **CARE, photos_to_come=NAMES[:13])
    assert answer.status_code == 422
    assert "最多 12 张" in answer.text


def test_names_of_anothers_photos_are_refused(world: World) -> None:
    first, second = world.producer(), world.producer()
    _enter(world, first, NAMES[:1])
    answer = world.enter(world.client(second), world.batch(second), "care", **CARE, photos_to_come=NAMES[:1])
    assert answer.status_code == 422
    assert "请重新选择照片" in answer.text


def test_a_store_that_is_away_loses_nothing(world: World, folder: Path) -> None:
    _enter(world, world.producer(), NAMES[:1])
    sender, data = world.client(), photo()
    assert _begin(sender, NAMES[0], len(data)).status_code == 201
    folder.write_bytes(b"a file where a folder should be")
    assert _part(sender, NAMES[0], 0, data).status_code == 503
    folder.unlink()
    assert _offset(sender, NAMES[0]) == 0
    assert _part(sender, NAMES[0], 0, data).status_code == 204
    assert len(_photos(world)) == 1


def test_a_consumers_photos_follow_the_complaint(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trace_app.feedback.forms.LEAST_S", 0)
    grower = world.producer()
    _lot, code = world.labelled(grower)
    client = world.client()
    shown = re.search(r'name="shown"[^>]*value="([^"]+)"', client.get(f"/{code}/feedback").text)
    assert shown
    said = {"kind": "quality", "text": "箱子压坏了", "shown": shown[1], "website": "", "photos_to_come": NAMES[:2]}
    # What comes back to be mended keeps its photos.
    refused = client.post(f"/{code}/feedback", data={**said, "text": ""}).text
    assert re.findall(r'name="photos_to_come" value="(\w+)"', refused) == NAMES[:2]
    assert "已选好 2 张照片" in refused
    ticket = client.post(f"/{code}/feedback", data=said).location
    assert _waiting(client.get(ticket).text) == ["2"]
    _send(client, NAMES[0], photo())
    assert _waiting(client.get(ticket).text) == ["1"]
    link = re.search(r"/feedback/\d+", world.client(grower).get("/feedback").text)
    assert link
    page = world.client(grower).get(link[0]).text
    assert (_waiting(page), page.count("-small.webp")) == (["1"], 1)


def test_photos_of_a_partys_report_follow_it_for_all_lots_of_the_report(world: World, folder: Path) -> None:
    grower, officer = world.producer(), world.regulator()
    lot = world.released(grower)
    _ship(world, grower, {lot: "40"})
    number = world.recall(officer, lot)
    with world.app.app_context():
        tell_everyone(db.session.scalar(sa.select(Recall.id).filter_by(number=number)))
        token = db.session.scalar(sa.text("SELECT token FROM recall_tasks WHERE organisation_id IS NULL"))
    shop, path = world.client(), f"/recall-tasks/{token}"
    page = shop.get(path).text
    key = re.search(r'name="form_key" value="([^"]+)"', page)
    said = {"name": "张店长", f"destroyed-{lot}": "5", "photos_to_come": NAMES[:1], "form_key": key[1] if key else ""}
    assert shop.post(f"{path}/report", data=said).status_code == 302
    assert _waiting(shop.get(path).text) == ["1"]
    case = world.client(officer)
    assert _waiting(case.get(f"/recalls/{number}/manage").text) == ["1"]
    _send(shop, NAMES[0], photo())
    assert _waiting(shop.get(path).text) == []
    assert "-small.webp" in case.get(f"/recalls/{number}/manage").text


def test_photos_that_never_came_are_not_waited_for_for_ever(world: World, folder: Path) -> None:
    grower = world.producer()
    batch_id = _enter(world, grower, NAMES[:2])
    sender = world.client()
    assert _begin(sender, NAMES[0], 100).status_code == 201
    assert _part(sender, NAMES[0], 0, b"x" * 50).status_code == 204
    with world.app.app_context():
        old = utc_now() - timedelta(days=DAYS_KEPT, minutes=1)
        db.session.execute(sa.update(PhotoArrival).where(PhotoArrival.name == NAMES[0]).values(touched_at=old))
        db.session.commit()
        let_old_arrivals_go()
        assert db.session.scalar(sa.select(sa.func.count()).select_from(PhotoPart)) == 0
    assert _waiting(world.client(grower).get(f"/batches/{batch_id}").text) == ["1"]
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_an_empty_photo_is_waited_for_no_longer_like_one_that_is_none(world: World, folder: Path) -> None:
    grower = world.producer()
    batch_id = _enter(world, grower, NAMES[:2])
    sender = world.client()
    assert _begin(sender, NAMES[1], 10).status_code == 201
    answer = _begin(sender, NAMES[0], 0)
    assert (answer.status_code, "空文件" in answer.text) == (422, True)
    assert _waiting(world.client(grower).get(f"/batches/{batch_id}").text) == ["1"]
    # One that has begun goes on, whatever is said of it afterwards.
    assert _begin(sender, NAMES[1], 0).status_code == 422
    assert _part(sender, NAMES[1], 0, b"x" * 4).status_code == 204
