"""Where a site lies: as people write it, in its county, and asked about where it does not look so."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from tests.world import World
from trace_app.catalogue.models import Site
from trace_app.catalogue.positions import NotAPosition, Position, km_outside, read_position
from trace_app.extensions import db

PLOT = {"kind": "plot", "name": "南坡", "division_code": "530324102"}
HERE = Position(Decimal("24.88520"), Decimal("104.30860"))


@pytest.mark.parametrize(
    ("text", "axis", "found"),
    [
        ("24.8852", "lat", Position(latitude=Decimal("24.88520"))),
        ("２４．８８５２°", "lat", Position(latitude=Decimal("24.88520"))),
        ("24.8852N", "lat", Position(latitude=Decimal("24.88520"))),
        ("北纬 24°53′7″", "lat", Position(latitude=Decimal("24.88528"))),
        ("24 53 7", "lat", Position(latitude=Decimal("24.88528"))),
        ("24 53 7, 104 18 31", "lat", Position(Decimal("24.88528"), Decimal("104.30861"))),
        ("24度53分", "lat", Position(latitude=Decimal("24.88333"))),
        ("104° 18' 31\" E", "lon", Position(longitude=Decimal("104.30861"))),
        ("24.8852, 104.3086", "lat", HERE),
        ("104.3086，24.8852", "lat", HERE),
        ("24.8852 104.3086", "lon", HERE),
        ("东经104.3086、北纬24.8852", "lon", HERE),
        ("24°53'7\"N 104°18'31\"E", "lat", Position(Decimal("24.88528"), Decimal("104.30861"))),
    ],
)
def test_positions_are_read_as_people_write_them(text: str, axis: str, found: Position) -> None:
    assert read_position(text, axis) == found


@pytest.mark.parametrize(
    "text", ["24,8852", "24,104", "24°61′", "24.88.52", "N24.8E", "104.3086E", "罗平", "24 61 7", "1 2"]
)
def test_what_may_be_read_otherwise_or_not_at_all_is_refused(text: str) -> None:
    with pytest.raises(NotAPosition):
        read_position(text, "lat")


def test_outlines_hold_their_own_seats_and_not_those_of_others() -> None:
    assert km_outside("530324102", 104.3086, 24.8852) == 0
    assert 90 < km_outside("530324102", 104.10, 26.22) < 200
    assert km_outside("530324102", 116.4, 39.9) > 1500


def _site(world: World) -> tuple[str, str] | None:
    with world.app.app_context():
        site = db.session.scalars(db.select(Site)).one_or_none()
        return (f"{site.latitude:.5f}", f"{site.longitude:.5f}") if site else None


@pytest.mark.parametrize(
    "typed",
    [
        {"latitude": "24.8852，104.3086", "longitude": ""},
        {"latitude": "", "longitude": "24.8852 104.3086"},
        {"latitude": "24.88520", "longitude": "104.30860"},
    ],
)
def test_a_pair_in_one_field_fills_in_both(world: World, typed: dict[str, str]) -> None:
    answer = world.client(world.producer()).post("/sites/new", data=PLOT | typed)
    assert answer.status_code == 302, answer.text
    assert _site(world) == ("24.88520", "104.30860")


def test_a_pair_and_another_number_beside_it_are_not_guessed_at(world: World) -> None:
    typed = {"latitude": "24.8852，104.3086", "longitude": "104.5"}
    answer = world.client(world.producer()).post("/sites/new", data=PLOT | typed)
    assert answer.status_code == 422
    assert "请只留一处" in answer.text
    assert "24.8852，104.3086" in answer.text


def test_a_position_far_from_its_county_is_asked_about_and_taken_when_it_is_said_to_be_right(world: World) -> None:
    client = world.client(world.producer())
    far = PLOT | {"latitude": "39.9", "longitude": "116.4"}
    assert "位置无误，就在那里" not in client.get("/sites/new").text
    asked = client.post("/sites/new", data=far)
    assert asked.status_code == 422
    assert re.search(r"县界外约 1\d{3} 公里", asked.text)
    assert 'name="position_is_right"' in asked.text
    assert _site(world) is None
    assert client.post("/sites/new", data=far | {"position_is_right": "y"}).status_code == 302
    # What was said once is not asked again while it stays.
    with world.app.app_context():
        site = db.session.scalars(db.select(Site.id)).one()
    assert client.post(f"/sites/{site}", data=far | {"name": "北京块"}).status_code == 302


def test_a_boundary_far_away_is_asked_about_as_well(world: World) -> None:
    corners = "26.220000, 104.100000\n26.221000, 104.100000\n26.221000, 104.101000"
    answer = world.client(world.producer()).post("/sites/new", data=PLOT | {"boundary": corners})
    assert answer.status_code == 422
    assert "县界外约" in answer.text


def test_the_towns_of_the_producers_county_are_offered_and_no_others(world: World) -> None:
    actor = world.producer("530324102")
    client = world.client(actor)
    page = client.get("/sites/new").text
    codes = set(re.findall(r'<option[^>]* value="(\d+)"', page))
    assert "530324102" in codes
    assert all(len(code) == 9 and code.startswith("530324") for code in codes)
    assert "WGS-84" in page
    for code in ("530300", "530324", "530381001"):
        assert client.post("/sites/new", data=PLOT | {"division_code": code}).status_code == 422
    elsewhere = world.site(actor, division="530381001", name="外县的窖", latitude="26.22", longitude="104.10")
    kept = client.post(f"/sites/{elsewhere}", data=PLOT | {"division_code": "530381001", "name": "外县的窖"})
    assert kept.status_code == 302, kept.text


def test_latitude_and_longitude_in_each_others_place_are_told(world: World) -> None:
    client = world.client(world.producer())
    answer = client.post("/sites/new", data=PLOT | {"latitude": "104.3086", "longitude": "24.8852"})
    assert answer.status_code == 422
    assert "纬度和经度像是写反了" in answer.text
    assert _site(world) is None
