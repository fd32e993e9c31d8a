"""GS1 Digital Links: where they lead, what they list, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.world import World
from trace_app.extensions import db
from trace_app.labels.service import LabelRun, url_of
from trace_app.public.digital_link import BadLink, DigitalLink, decompress

GTIN = "06901234567892"
LOT = "LP-J-2025-1"
VOC = "https://ref.gs1.org/voc/"


@pytest.fixture
def lot(world: World) -> tuple[World, int, str]:
    """A lot of a product with a GTIN, and the code of its first label."""
    grower = world.producer()
    product = world.product(grower, gtin=GTIN, name="罗平小黄姜", name_en="Luoping ginger")
    batch = world.released(grower, product_id=product, lot_number=LOT)
    return world, batch, world.code(world.run(grower, batch, 2))


def _get(world: World, path: str, **headers: str) -> Any:
    return world.client().get(path, headers=headers)


def test_a_label_leads_to_its_page_with_all_that_was_asked(lot: tuple[World, int, str]) -> None:
    world, _batch, code = lot
    for path in (f"/01/{GTIN}/10/{LOT}/21/{code}", f"/01/{GTIN}/21/{code}", f"/01/6901234567892/21/{code}/"):
        answer = _get(world, f"{path}?17=271231&from=shop")
        assert answer.status_code == 307
        assert answer.headers["Location"] == f"/{code}?17=271231&from=shop"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert {"Accept", "Accept-Language"} <= set(answer.vary)
        assert world.client().get(answer.headers["Location"]).status_code == 200


def test_a_lot_a_product_and_a_place_have_pages(lot: tuple[World, int, str]) -> None:
    world, _batch, _code = lot
    grower = world.producer()
    world.site(grower, name="一号厂房", gln="6901234567892")
    for path, words in (
        (f"/01/{GTIN}/10/{LOT}", "来源可查"), (f"/01/{GTIN}", "罗平小黄姜"), ("/414/6901234567892", "一号厂房"),
    ):  # fmt: skip
        first = _get(world, path)
        assert first.status_code == 307
        page = world.client().get(first.headers["Location"])
        assert page.status_code == 200
        assert words in page.text
        assert "\ue000" not in page.text


@pytest.mark.parametrize(
    ("link_type", "place"),
    [
        ("gs1:pip", f"/p/{GTIN}"),
        (f"{VOC}traceability", "/{code}"),
        ("gs1:recallStatus", "/recalls/check?code={code}"),
        ("gs1:certificationInfo", "/{code}#tests"),
        ("gs1:sustainabilityInfo", "/{code}#inputs"),
        ("gs1:support", "/{code}/feedback"),
    ],
)
def test_a_type_of_link_leads_where_it_says(lot: tuple[World, int, str], link_type: str, place: str) -> None:
    world, _batch, code = lot
    answer = world.client().get(f"/01/{GTIN}/21/{code}", query_string={"linkType": link_type})
    assert answer.status_code == 307
    assert answer.headers["Location"] == place.format(code=code)


def test_a_type_that_there_is_not_is_not_found(lot: tuple[World, int, str]) -> None:
    world, _batch, code = lot
    for wish in ("gs1:hasRetailers", "gs1:nonsense", "x"):
        assert world.client().get(f"/01/{GTIN}/21/{code}", query_string={"linkType": wish}).status_code == 404


def test_all_links_come_as_a_link_set(lot: tuple[World, int, str]) -> None:
    world, _batch, code = lot
    path = f"/01/{GTIN}/10/{LOT}/21/{code}"
    for query, headers, kind in (
        ("?linkType=all", {}, "application/linkset+json"),
        ("?linkType=linkset", {"Accept": "*/*"}, "application/linkset+json"),
        ("", {"Accept": "application/linkset+json"}, "application/linkset+json"),
        ("?linkType=all", {"Accept": "application/json"}, "application/json"),
    ):
        answer = _get(world, path + query, **headers)
        assert answer.status_code == 200
        assert answer.mimetype == kind
        [context] = json.loads(answer.data)["linkset"]
        assert context["anchor"] == f"http://127.0.0.1:8000{path}"
        [default] = context[f"{VOC}defaultLink"]
        assert default["href"] == f"http://127.0.0.1:8000/{code}"
        assert default["type"] == "text/html"
        assert default["hreflang"] == ["zh", "en"]
        assert {entry["type"] for entry in context[f"{VOC}traceability"]} == {"text/html", "application/ld+json"}
    page = _get(world, f"{path}?linkType=all", Accept="text/html")
    assert page.mimetype == "text/html"
    assert "gs1:recallStatus" in page.text


def test_the_header_names_all_links(lot: tuple[World, int, str]) -> None:
    world, _batch, code = lot
    header = _get(world, f"/01/{GTIN}/21/{code}").headers["Link"]
    assert f'<http://127.0.0.1:8000/{code}>; rel="{VOC}defaultLink"' in header
    assert 'rel="linkset"; type="application/linkset+json"' in header


@pytest.mark.parametrize(
    "path",
    [
        "/01/06901234567893", "/01/abc", "/01/1", f"/01/{GTIN}/10/{'x' * 21}", f"/01/{GTIN}/10/%E5%A7%9C",
        f"/01/{GTIN}/21/a%20b", "/00/123", "/00/376123456789012345", "/414/6901234567893", "/01/０６９０１２３４５６７８９２",
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused(world: World, path: str) -> None:
    assert world.client().get(path).status_code == 400


def test_what_is_none_of_ours_is_not_found(lot: tuple[World, int, str]) -> None:
    world, _batch, code = lot
    other = world.labelled(world.producer())[1]
    for path in (
        "/01/09506000134352", f"/01/{GTIN}/10/NONE", f"/01/{GTIN}/21/{other}", f"/01/{GTIN}/10/OTHER/21/{code}",
        "/00/376130321109103420", "/414/9506000134352", f"/01/{GTIN}/21/ABC",
    ):  # fmt: skip
        assert world.client().get(path).status_code == 404


def test_a_draft_is_nobodys_to_see(world: World) -> None:
    grower = world.producer()
    world.batch(grower, product_id=world.product(grower, gtin=GTIN), lot_number=LOT)
    assert world.client().get(f"/01/{GTIN}/10/{LOT}").status_code == 404
    assert world.client().get(f"/l/{GTIN}/{LOT}").status_code == 404


def test_head_and_options_are_answered(lot: tuple[World, int, str]) -> None:
    world, _batch, code = lot
    head = world.client().head(f"/01/{GTIN}/21/{code}")
    assert head.status_code == 307
    assert head.data == b""
    options = world.client().options(f"/01/{GTIN}/21/{code}")
    assert options.status_code == 200
    assert {"GET", "HEAD", "OPTIONS"} <= set(options.headers["Allow"].split(", "))
    assert options.headers["Access-Control-Allow-Origin"] == "*"


def test_the_resolver_describes_itself(world: World) -> None:
    answer = world.client().get("/.well-known/gs1resolver")
    assert answer.mimetype == "application/json"
    assert answer.json["resolverRoot"] == "http://127.0.0.1:8000"
    assert answer.json["supportedPrimaryKeys"] == ["00", "01", "414"]
    assert "gs1:recallStatus" in answer.json["supportedLinkTypes"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def _bits(text: str) -> str:
    """Base 64 of so many bits, filled up with zeros."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text += "0" * (-len(text) % 6)
    return "".join(alphabet[int(text[n : n + 6], 2)] for n in range(0, len(text), 6))


def test_a_published_compressed_link_is_read() -> None:
    assert decompress("AN2yxDhfaiaw") == DigitalLink(sscc="998440410914660971")


def test_compressed_links_lead_on_and_name_what_they_stand_for(lot: tuple[World, int, str]) -> None:
    world, _batch, code = lot
    serial = "100" + f"{len(code):05b}" + "".join(f"{ord(c):07b}" for c in code)
    whole = _bits("00001100" + f"{int(GTIN):047b}" + serial)
    answer = world.client().get(f"/{whole}")
    assert answer.status_code == 307
    assert answer.headers["Location"] == f"/{code}"
    assert f'<http://127.0.0.1:8000/01/{GTIN}/21/{code}>; rel="owl:sameAs"' in answer.headers["Link"]


@pytest.mark.parametrize("text", ["AN2yxDhgaiaw", "AAAAAAAA", "x" * 200, "____________", "AN2yxDhf", "EQE=====", ""])
def test_what_is_no_compressed_link_is_refused(text: str) -> None:
    with pytest.raises(BadLink):
        decompress(text)


def test_what_the_printed_symbol_says_leads_to_the_label(world: World) -> None:
    grower = world.producer()
    product = world.product(grower, gtin=GTIN)
    batch = world.released(grower, product_id=product, lot_number="A-1")
    run = world.run(grower, batch, 1, link=True)
    with world.app.app_context():
        printed = url_of(db.session.get_one(LabelRun, run), 0)
    answer = world.client().get("/01/" + printed.split("/01/")[1])
    assert answer.status_code == 307
    assert answer.headers["Location"] == f"/{world.code(run)}"
