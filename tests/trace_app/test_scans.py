"""Scans are counted by lot and day, people's alone, and stand in the preview of a recall."""

from tests.world import World
from trace_app.extensions import db
from trace_app.scans.models import ScanDay

PHONE = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0"}


def _scans(world: World) -> dict[int, int]:
    world.app.extensions["scan_log"].write()
    with world.app.app_context():
        return {row.batch_id: row.scans for row in db.session.scalars(db.select(ScanDay))}


def test_scans_are_counted_by_lot_and_robots_are_not(world: World) -> None:
    grower = world.producer()
    (one, first), (two, second) = world.labelled(grower), world.labelled(grower)
    client = world.client()
    for _ in range(3):
        assert client.get(f"/{first}", headers=PHONE).status_code == 200
    client.get(f"/{second}", headers=PHONE)
    etag = client.get(f"/{first}", headers=PHONE).headers["ETag"]
    assert client.get(f"/{first}", headers=PHONE | {"If-None-Match": etag}).status_code == 304
    for robot in ("WhatsApp link preview", "Googlebot/2.1", "curl/8", ""):
        client.get(f"/{first}", headers={"User-Agent": robot})
    client.head(f"/{first}", headers=PHONE)
    client.get("/0000000000000", headers=PHONE)
    # Who asks again for the page it has is not a new scan.
    assert _scans(world) == {one: 4, two: 1}
    client.get(f"/{first}", headers=PHONE)
    assert _scans(world) == {one: 5, two: 1}


def test_the_preview_of_a_recall_says_how_often_its_lots_were_scanned(world: World) -> None:
    grower = world.producer()
    lot, code = world.labelled(grower, lot_number="SC-1")
    for _ in range(4):
        world.client().get(f"/{code}", headers=PHONE)
    assert _scans(world) == {lot: 4}
    page = world.client(world.regulator()).get("/recalls/scope?lots=SC-1").text
    assert "最近 30 天被扫" in page
    assert "地区不明 4" in page
