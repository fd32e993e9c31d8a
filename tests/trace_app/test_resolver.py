"""GS1 Digital Links: where they lead, what they list, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.world import World
from trace_app.extensions import db
from trace_app.labels.service import LabelRun, url_of
from trace_app.public.resolver.digital_link import BadLink, DigitalLink, decompress, read_link, read_path

pytestmark = pytest.mark.either_database

GTIN = "06901234567892"
LOT = "LP-J-2025-1"
VOC = "https://ref.gs1.org/voc/"
ROOT = "http://127.0.0.1:8000"


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
        assert answer.headers["Location"] == f"{ROOT}/{code}?17=271231&from=shop"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert {"Accept", "Accept-Language"} <= set(answer.vary)
        assert world.client().get(answer.headers["Location"]).status_code == 200


def test_a_lot_a_product_and_a_place_have_pages(lot: tuple[World, int, str]) -> None:
    world, _batch, _code = lot
    grower = world.producer()
    world.site(grower, name="一号厂房", gln="6901234567892")
    for path, words in (
        (f"/01/{GTIN}/10/{LOT}", "来源可查"),
        (f"/01/{GTIN}", "罗平小黄姜"),
        ("/414/6901234567892", "一号厂房"),
    ):
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
        ("gs1:certificationInfo", "/{code}/tests"),
        ("gs1:sustainabilityInfo", "/{code}/inputs"),
        ("gs1:support", "/{code}/feedback"),
    ],
)
def test_a_type_of_link_leads_where_it_says(lot: tuple[World, int, str], link_type: str, place: str) -> None:
    world, _batch, code = lot
    answer = world.client().get(f"/01/{GTIN}/21/{code}", query_string={"linkType": link_type})
    assert answer.status_code == 307
    where = ROOT + place.format(code=code)
    assert answer.headers["Location"] == f"{where}{'&' if '?' in where else '?'}linkType={link_type}"
    page = world.client().get(answer.headers["Location"], follow_redirects=True)
    assert page.status_code == 200


def test_parts_of_pages_have_addresses(lot: tuple[World, int, str]) -> None:
    world, _batch, code = lot
    for page, part in ((f"/{code}", "tests"), (f"/l/{GTIN}/{LOT}", "inputs"), (f"/p/{GTIN}", "certificates")):
        answer = _get(world, f"{page}/{part}?linkType=gs1:x&lang=en")
        assert answer.status_code == 302
        assert answer.headers["Location"] == f"{page}?lang=en#{part}"
        assert f'id="{part}"' in _get(world, page).text
    assert _get(world, f"/{code}/nonsense").status_code == 404
    assert _get(world, "/%5Cevil.example/tests").headers["Location"] == "/%5Cevil.example#tests"


def test_a_page_comes_in_the_language_and_type_that_the_link_asks_for(lot: tuple[World, int, str]) -> None:
    world, _batch, code = lot
    asked = f"/01/{GTIN}/21/{code}?linkType=gs1:traceability&lang=en&mediaType="
    page = world.client().get(_get(world, f"{asked}text/html").headers["Location"])
    assert page.mimetype == "text/html"
    assert 'lang="en"' in page.text[:200]
    data = world.client().get(_get(world, f"{asked}application/ld%2Bjson").headers["Location"])
    assert data.mimetype == "application/ld+json"
    assert data.json["name"] == "Luoping ginger"


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
        levels = json.loads(answer.data)["linkset"]
        assert [level["anchor"] for level in levels] == [
            ROOT + path,
            f"{ROOT}/01/{GTIN}/10/{LOT}",
            f"{ROOT}/01/{GTIN}",
        ]
        context = levels[0]
        assert context[f"{VOC}defaultLink"] == [{"href": f"{ROOT}/{code}", "title": "默认页面"}]
        assert context[f"{VOC}pip"][0]["hreflang"] == ["zh", "en"]
        assert {entry["type"] for entry in context[f"{VOC}traceability"]} == {"text/html", "application/ld+json"}
    page = _get(world, f"{path}?linkType=all", Accept="text/html")
    assert page.mimetype == "text/html"
    assert "gs1:recallStatus" in page.text


def test_the_header_says_where_all_links_are(lot: tuple[World, int, str]) -> None:
    world, _batch, code = lot
    header = _get(world, f"/01/{GTIN}/21/{code}").headers["Link"]
    assert f'<{ROOT}/01/{GTIN}/21/{code}?linkType=linkset>; rel="linkset"; type="application/linkset+json"' in header
    assert "gs1:" not in header


@pytest.mark.parametrize(
    "path",
    [
        "/01/06901234567893",
        "/01/abc",
        "/01/1",
        f"/01/{GTIN}/10/{'x' * 21}",
        f"/01/{GTIN}/10/%E5%A7%9C",
        f"/01/{GTIN}/21/a%20b",
        "/00/123",
        "/00/376123456789012345",
        f"/01/{GTIN}/foo",
        f"/01/{GTIN}/21",
        f"/01/{GTIN}/21/A/10/B",
        f"/01/{GTIN}/10/A/10/B",
        f"/01/{GTIN}/254/A",
        f"/01/{GTIN}/235/{'x' * 29}",
        "/414/6901234567892/10/A",
        "/00/376130321109103420/foo",
        f"/01/{GTIN}//",
        "/414/6901234567893",
        "/01/０６９０１２３４５６７８９２",
    ],
)
def test_what_is_malformed_is_refused(world: World, path: str) -> None:
    assert world.client().get(path).status_code == 400


def test_what_is_none_of_ours_is_not_found(lot: tuple[World, int, str]) -> None:
    world, _batch, code = lot
    other = world.labelled(world.producer())[1]
    for path in (
        "/01/09506000134352",
        f"/01/{GTIN}/21/{other}",
        f"/01/{GTIN}/10/OTHER/21/{code}",
        "/00/376130321109103420",
        "/414/9506000134352",
        f"/01/{GTIN}/21/ABC",
    ):
        assert world.client().get(path).status_code == 404


def test_what_is_narrower_than_we_know_leads_to_the_product_or_place(lot: tuple[World, int, str]) -> None:
    world, _batch, code = lot
    world.site(world.producer(), gln="6901234567892")
    for path, place in (
        (f"/01/{GTIN}/10/NONE", f"/p/{GTIN}"),
        (f"/01/{GTIN}/22/2A", f"/p/{GTIN}"),
        (f"/01/{GTIN}/235/X", f"/p/{GTIN}"),
        (f"/01/{GTIN}/22/2A/10/{LOT}/21/{code}", f"/{code}"),
        ("/414/6901234567892/254/EXT", "/places/6901234567892"),
    ):
        answer = _get(world, path)
        assert answer.status_code == 307
        assert answer.headers["Location"] == ROOT + place
    assert "不证明某一批" in _get(world, f"/p/{GTIN}").text


def test_a_draft_is_nobodys_to_see(world: World) -> None:
    grower = world.producer()
    world.batch(grower, product_id=world.product(grower, gtin=GTIN), lot_number=LOT)
    assert world.client().get(f"/01/{GTIN}/10/{LOT}").headers["Location"] == f"{ROOT}/p/{GTIN}"
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
    assert answer.json["resolverRoot"] == ROOT
    assert answer.json["supportedPrimaryKeys"] == ["00", "01", "414"]
    assert answer.json["supportedLinkType"] == [{"namespace": VOC, "prefix": "gs1:"}]
    assert "gs1:recallStatus" in answer.json["activeLinkTypes"]["zh-CN"]
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
    assert answer.headers["Location"] == f"{ROOT}/{code}"
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
    assert answer.headers["Location"] == f"{ROOT}/{world.code(run)}"


@pytest.mark.parametrize("narrowness", ["product", "lot", "item", "item in its lot", "place", "container"])
def test_each_link_does_what_gs1s_test_suite_asks(lot: tuple[World, int, str], narrowness: str) -> None:
    world, _batch, code = lot
    world.site(world.producer(), gln="6901234567892")
    packer = world.producer(gs1_prefix="6901234")
    sscc = world.sscc(world.run(packer, world.released(packer), level="case", format_name="csv"))
    path = {
        "product": f"/01/{GTIN}",
        "lot": f"/01/{GTIN}/10/{LOT}",
        "item": f"/01/{GTIN}/21/{code}",
        "item in its lot": f"/01/{GTIN}/10/{LOT}/21/{code}",
        "place": "/414/6901234567892",
        "container": f"/00/{sscc}",
    }[narrowness]
    _as_gs1s_suite(world, path)


def _as_gs1s_suite(world: World, path: str) -> None:
    """The checks of GS1's resolver test suite (gs1/GS1DL-resolver-testsuite, 2026-08-07), by their names there."""
    plain = _get(world, path)
    assert plain.headers["Access-Control-Allow-Origin"] == "*", "corsCheck"
    allowed = world.client().options(path).headers["Access-Control-Allow-Methods"]
    assert {"GET", "HEAD", "OPTIONS"} <= set(allowed.split(", ")), "methodsCheck"
    assert 'rel="linkset"' in plain.headers["Link"], "linkOnRedirect"
    assert 'rel="gs1:' not in plain.headers["Link"], "legacyLinkHeaders"
    assert _get(world, f"{path}/foo").status_code == 400, "reportWith400, noErrorWith200"
    slash = _get(world, f"{path}/")
    assert (slash.status_code, slash.headers["Location"]) == (plain.status_code, plain.headers["Location"])
    assert "foo=bar" in _get(world, f"{path}?foo=bar").headers["Location"], "qsPassedOn"
    assert _get(world, f"{path}?linkType=linkset").status_code == 200, "ltLinksetNoRedirect"
    assert _get(world, f"{path}?linkType=gs1:nosuchlt").status_code == 404, "specificLinkTypeNotFound"
    answer = _get(world, path, Accept="application/linkset+json")
    assert answer.headers["Content-Type"] == "application/linkset+json", "ltAcceptHeader, declaredContentType"
    links = answer.headers["Link"].split(",")
    kind = 'type="application/ld+json"'
    assert any('rel="http://www.w3.org/ns/json-ld#context"' in link and kind in link for link in links)
    tried: set[str] = set()
    levels = json.loads(answer.data)["linkset"]
    _as_gs1s_schema(levels)
    above = path
    while above.count("/") >= 2:
        for level in levels:
            if level["anchor"] != ROOT + above:
                continue
            for name, targets in level.items():
                if name.startswith(VOC) and name not in tried:
                    tried.add(name)
                    _leads_to_each(world, path, name.removeprefix(VOC), targets)
        above = above.rsplit("/", 2)[0]
    assert f"{VOC}defaultLink" in tried, "defaultLinkExists"
    assert len(tried) >= 2


def _as_gs1s_schema(levels: list[dict[str, Any]]) -> None:
    """What the schema of link sets and the standard ask of their shape (validLinkset)."""
    for level in levels:
        assert level["anchor"].startswith(ROOT)
        assert isinstance(level["description"], str)
        for name, targets in level.items():
            if name in {"anchor", "description", "itemDescription"}:
                continue
            assert name.startswith(VOC)
            for target in targets:
                assert target["href"].startswith(ROOT)
                assert target["title"]
                assert all(len(language) == 2 for language in target.get("hreflang", []))
                assert "/" in target.get("type", "text/html")


def _leads_to_each(world: World, path: str, name: str, targets: list[dict[str, Any]]) -> None:
    if name == "defaultLink":
        [default] = targets
        assert default.keys() == {"href", "title"}, "singleDefaulLink"
        assert _get(world, path).headers["Location"] == default["href"], "defaultTarget"
        return
    for target in targets:
        query = f"linkType=gs1:{name}"
        if len(targets) > 1:
            query += f"&mediaType={target['type'].replace('+', '%2B')}&lang={target['hreflang'][0]}"
        location = _get(world, f"{path}?{query}").headers["Location"]
        for sign in "?&":
            location = location.split(f"{sign}linkType=gs1:{name}")[0]
        assert location == target["href"], f"loFor {name}"


@pytest.mark.parametrize(
    ("head", "length", "digits", "lot"),
    [
        ("000", 6, "".join(f"{int('204417'):020b}"), "204417"),
        ("001", 4, "".join(f"{n:04b}" for n in (0xA, 0xB, 1, 2)), "ab12"),
        ("010", 4, "".join(f"{n:04b}" for n in (0xA, 0xB, 1, 2)), "AB12"),
        ("011", 3, "".join(f"{n:06b}" for n in (0, 26, 63)), "Aa_"),
        ("100", 2, "".join(f"{ord(c):07b}" for c in "a("), "a("),
        ("100", 20, "".join(f"{ord(c):07b}" for c in "L" * 20), "L" * 20),
    ],
)
def test_a_compressed_lot_is_read_in_each_of_its_encodings(head: str, length: int, digits: str, lot: str) -> None:
    whole = _bits("00001011" + f"{int(GTIN):047b}" + head + f"{length:05b}" + digits)
    assert decompress(whole) == DigitalLink(gtin=GTIN, lot=lot)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (f"/01/{GTIN}/10/{'L' * 20}", DigitalLink(GTIN, "L" * 20)),
        (f"/01/{GTIN}/10/{'L' * 21}", None),
        (f"/01/{GTIN}/21/{'S' * 20}/", DigitalLink(GTIN, "", "S" * 20)),
        (f"/01/{GTIN}/21/{'S' * 21}", None),
        (f"/01/{GTIN}/22/{'V' * 20}/10/A/21/B", DigitalLink(GTIN, "A", "B")),
        (f"/01/{GTIN}/22/{'V' * 21}", None),
        (f"/01/{GTIN}/235/{'T' * 28}", DigitalLink(GTIN)),
        (f"/01/{GTIN}/235/{'T' * 29}", None),
        (f"/01/{GTIN}/10/A/10/B", None),
        (f"/01/{GTIN}/21/A/10/B", None),
        (f"/01/{GTIN}/10/姜", None),
        (f"/01/{GTIN}/10/a b", None),
        (f"/01/{GTIN}/00/106141412345678908", None),
        (f"/01/{GTIN}/10", None),
        ("/00/106141412345678908", DigitalLink(sscc="106141412345678908")),
        ("/00/106141412345678908/21/A", None),
    ],
)
def test_a_path_has_its_keys_in_order_once_and_not_too_long(path: str, found: DigitalLink | None) -> None:
    if found is not None:
        assert read_path(path) == found
    else:
        with pytest.raises(BadLink):
            read_path(path)


def test_a_link_names_one_thing() -> None:
    with pytest.raises(BadLink):
        read_link({"01": GTIN, "00": "106141412345678908"})
    with pytest.raises(BadLink):
        read_link({"10": "A"})
