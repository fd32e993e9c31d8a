"""When and where photos were taken: the authority sees it, findings are made of it, and nobody else is told."""

from __future__ import annotations

import io

import pypdfium2
import pytest
from PIL import Image
from python_calamine import CalamineWorkbook

from tests.trace_app.test_photo_uploads import CARE, NAMES, _enter, _send
from tests.world import Actor, World, photo
from trace_app.extensions import db
from trace_app.records.models import Record

FAR = {1: "N", 2: (39.0, 54.0, 0.0), 3: "E", 4: (116.0, 24.0, 0.0)}
PLACE = "39.90000, 116.40000"
NEAR = {1: "N", 2: (24.0, 53.0, 6.0), 3: "E", 4: (104.0, 18.0, 36.0)}
"""24.885, 104.31: some 140 metres from where sites are in tests."""


def _told(place: dict[int, object], taken: str) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update(place)
    exif.get_ifd(0x8769)[0x9003] = taken
    return photo(size=(1200, 900), exif=exif)


def _lot(world: World, grower: Actor, data: bytes) -> tuple[int, int]:
    """A lot with a record that has a photo; their ids."""
    batch_id = world.batch(grower)
    files = [(io.BytesIO(data), "a.jpg")]
    assert world.enter(world.client(grower), batch_id, "care", **CARE, photos=files).status_code == 302
    with world.app.app_context():
        record_id = db.session.scalars(db.select(Record.id).where(Record.batch_id == batch_id)).one()
    return batch_id, record_id


def test_a_photo_of_elsewhere_and_another_day_warns_and_stops_nothing(world: World) -> None:
    grower = world.producer()
    batch_id, _record_id = _lot(world, grower, _told(FAR, "2025:05:01 09:10:11"))
    world.complete(grower, batch_id)
    client = world.client(grower)
    page = client.get(f"/batches/{batch_id}").text
    assert "2025-06-01 的记录有照片拍在离基地约 19" in page
    assert "2025-06-01 的记录有照片拍于 2025-05-01，相差 31 天。" in page
    client.post(f"/batches/{batch_id}/release")
    assert "116.4" not in (public := world.client().get("/" + world.code(world.run(grower, batch_id))).text)
    assert "照片：1 张" in public


def test_one_of_the_site_and_the_day_says_nothing(world: World) -> None:
    grower = world.producer()
    batch_id, _record_id = _lot(world, grower, _told(NEAR, "2025:06:01 09:10:11"))
    assert "的记录有照片拍" not in world.client(grower).get(f"/batches/{batch_id}").text


def test_what_the_phone_told_of_a_photo_that_came_later_counts_alike(world: World) -> None:
    grower = world.producer()
    batch_id = _enter(world, grower, NAMES[:1])
    client = world.client(grower)
    assert "的记录有照片拍" not in client.get(f"/batches/{batch_id}").text
    _send(world.client(), NAMES[0], photo(), taken="2025:05:01 09:10:11", lat="39.9", lon="116.4")
    page = client.get(f"/batches/{batch_id}").text
    assert "相差 31 天" in page
    assert "的记录有照片拍在离基地约 19" in page


@pytest.mark.parametrize("file_type", ["xlsx", "pdf"])
def test_the_authority_alone_reads_when_and_where(world: World, file_type: str) -> None:
    grower = world.producer()
    batch_id, record_id = _lot(world, grower, _told(FAR, "2025:05:01 09:10:11"))
    officer, owner = world.client(world.regulator()), world.client(grower)
    page = officer.get(f"/records/{record_id}").text
    for said in ("2025-05-01 09:10", PLACE, "不对外公开"):
        assert said in page
        assert said not in owner.get(f"/records/{record_id}").text
    path = f"/batches/{batch_id}/file.{file_type}"
    assert _plain(officer.get(path).data, file_type).count("39.90000") == 1
    assert "39.90000" not in _plain(owner.get(path).data, file_type)
    # The next county's sees neither.
    elsewhere = world.client(world.regulator("530381"))
    assert elsewhere.get(f"/records/{record_id}").status_code == 404
    assert elsewhere.get(path).status_code == 404


def _plain(data: bytes, file_type: str) -> str:
    if file_type == "xlsx":
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        return "\n".join(str(book.get_sheet_by_name(name).to_python()) for name in book.sheet_names)
    document = pypdfium2.PdfDocument(data)
    return "".join(page.get_textpage().get_text_range() for page in document)


def test_a_photo_that_says_nothing_is_said_to_say_nothing(world: World) -> None:
    grower = world.producer()
    _batch_id, record_id = _lot(world, grower, photo())
    page = world.client(world.regulator()).get(f"/records/{record_id}").text
    assert "时间不详 · 位置不详" in page
