import io
from pathlib import Path

import pytest

from tests.conftest import empty
from tests.world import World, photo
from trace_app.catalogue import service as catalogue
from trace_app.catalogue.kinds import BUILT_IN, BadKindFile, read_kind
from trace_app.catalogue.models import Product, ProductKind
from trace_app.extensions import db

pytestmark = pytest.mark.either_database

SIXTH = """
code = "walnut"
position = 60
name = "大姚核桃"
name_en = "Walnut"
inputs = ["fertiliser"]
units = ["kg"]
facts = ["shelling.way", "altitude"]

[words.zh]
who = "谁种的"
how = "怎样长大"
started = "开花"
produced = "采收"

[words.en]
who = "Grown by"
how = "How it grew"
started = "Bloom"
produced = "Harvested"

[[stages]]
code = "shelling"
name = "脱壳"
name_en = "Shelling"
fields = [
  { code = "way", name = "方式", name_en = "Way", type = "choice", required = true, choices = [{ value = "dry", name = "干脱", name_en = "Dry" }] },
]
"""
SITE = {
    "kind": "plot",
    "name": "3 号地块",
    "name_en": "",
    "division_code": "530324102",
    "latitude": "24.8852",
    "longitude": "104.3086",
    "altitude_m": "1480",
    "area_mu": "42",
}


def test_the_five_products_are_there_with_their_own_stages_and_inputs(world: World) -> None:
    with world.app.app_context():
        kinds = {kind.code: kind for kind in db.session.scalars(db.select(ProductKind))}
        assert set(kinds) == {"ham", "ham_mooncake", "ginger", "honey", "coix"}
        inputs = {code: set(kind.inputs) for code, kind in kinds.items()}
        assert inputs["ginger"] == inputs["coix"] == {"pesticide", "fertiliser"}
        assert inputs["ham"] >= {"feed", "veterinary"}
        assert inputs["honey"] == {"feed", "veterinary"}
        assert inputs["ham_mooncake"] == {"ingredient"}
        assert [stage.code for stage in kinds["ham"].stages][3:5] == ["salting", "stacking"]
        assert all(stage.name and stage.name_en for kind in kinds.values() for stage in kind.stages)


def test_a_sixth_kind_is_added_as_data_and_used_to_the_trace_page(world: World) -> None:
    admin = world.client(world.administrator())
    upload = {"file": (io.BytesIO(SIXTH.encode()), "walnut.toml")}
    assert admin.post("/admin/kinds", data=upload).status_code == 302
    try:
        actor = world.producer()
        product = world.product(actor, "walnut")
        batch_id = world.batch(actor, product_id=product)
        assert "脱壳" in world.client(actor).get(f"/batches/{batch_id}").text
        world.record(actor, batch_id, "stage", "shelling", **{"happened_on": "2025-10-01", "values-way": "dry"})
        client = world.client(actor)
        assert client.post(f"/batches/{batch_id}/release").status_code == 302
        code = world.code(world.run(actor, batch_id))
        assert "干脱" in world.client().get(f"/{code}").text
        assert "Dry" in world.client(language="en").get(f"/{code}").text
    finally:
        with world.app.app_context():
            empty()
        with world.writing():
            # PostgreSQL keeps the kinds from test to test.
            if (walnut := db.session.get(ProductKind, "walnut")) is not None:
                db.session.delete(walnut)


def test_a_kind_that_was_changed_is_on_the_next_page(world: World) -> None:
    _batch, code = world.labelled(world.producer())
    ginger = (BUILT_IN / "ginger.toml").read_text("utf-8")
    assert "今年" not in world.client().get(f"/{code}").text
    try:
        with world.writing():
            catalogue.load_kind(read_kind(ginger.replace('who = "', 'who = "今年')))
        assert "今年" in world.client().get(f"/{code}").text
    finally:
        with world.writing():
            catalogue.load_kind(read_kind(ginger))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("position = 60", 'position = "x"'),
        ('type = "choice"', 'type = "text"'),
        ('code = "shelling"', 'code = "脱壳"'),
        ('facts = ["shelling.way"', 'facts = ["shelling.colour"'),
        ("[words.en]", "[words.fr]"),
        ('code = "walnut"', "code = "),
        ('inputs = ["fertiliser"]', 'inputs = ["magic"]'),
    ],
)
def test_a_kind_file_with_a_fault_is_refused_with_what_is_wrong(world: World, old: str, new: str) -> None:
    client = world.client(world.administrator())
    answer = client.post("/admin/kinds", data={"file": (io.BytesIO(SIXTH.replace(old, new).encode()), "walnut.toml")})
    assert answer.status_code == 422
    assert "品类文件有误" in answer.text
    with pytest.raises(BadKindFile):
        read_kind(SIXTH.replace(old, new))


def test_a_stage_that_has_records_cannot_be_taken_out(world: World) -> None:
    actor = world.producer()
    batch_id = world.batch(actor)
    world.record(actor, batch_id, "stage", "planting", happened_on="2025-03-12")
    text = (BUILT_IN / "ginger.toml").read_text("utf-8").replace('"planting"', '"setting"')
    answer = world.client(world.administrator()).post(
        "/admin/kinds", data={"file": (io.BytesIO(text.encode()), "g.toml")}
    )
    assert answer.status_code == 422
    assert "播种" in answer.text
    assert "已有记录" in answer.text


def test_a_producer_registers_a_site_with_place_and_coordinates(world: World) -> None:
    client = world.client(world.producer())
    assert client.post("/sites/new", data=SITE).status_code == 302
    page = client.get("/sites").text
    assert "曲靖市罗平县板桥镇" in page
    assert ">24.8852<" in page
    assert ">104.3086<" in page
    again = client.post("/sites/new", data=SITE)
    assert again.status_code == 422
    assert "您已有名为“3 号地块”" in again.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latitude": "124"}, "须在"),
        ({"longitude": ""}, "同时填写"),
        ({"division_code": ""}, "请填写此项"),
        ({"area_mu": "-1"}, "须在"),
    ],
)
def test_a_wrong_site_comes_back(world: World, change: dict[str, str], message: str) -> None:
    answer = world.client(world.producer()).post("/sites/new", data=SITE | change)
    assert answer.status_code == 422
    assert message in answer.text


class TestProductPhotos:
    def test_several_are_added_at_once_shown_and_removed(self, world: World) -> None:
        actor = world.producer()
        product_id = world.product(actor)
        client = world.client(actor)
        files = [(io.BytesIO(photo(colour)), f"{colour}.jpg") for colour in ("red", "green", "blue")]
        assert client.post(f"/products/{product_id}/photos", data={"photos": files}).status_code == 302
        with world.app.app_context():
            product = db.session.get_one(Product, product_id)
            names, first = [p.name for p in product.photos], product.photos[0].id
        for name in names:
            for path in (f"/media/{name}.webp", f"/media/{name}-small.webp"):
                shown = world.client().get(path)
                assert shown.status_code == 200
                assert shown.mimetype == "image/webp"
                assert "immutable" in shown.headers["Cache-Control"]
        client.post(f"/products/{product_id}/photos/{first}/remove")
        assert names[0] not in client.get(f"/products/{product_id}").text
        assert names[1] in client.get(f"/products/{product_id}").text

    @pytest.mark.parametrize("data", [b"<script>alert(1)</script>", b"", photo()[:100], Path(__file__).read_bytes()])
    def test_one_bad_file_among_good_ones_keeps_all_out(self, world: World, data: bytes) -> None:
        actor = world.producer()
        product_id = world.product(actor)
        files = [(io.BytesIO(photo()), "good.jpg"), (io.BytesIO(data), "坏的.jpg")]
        answer = world.client(actor).post(f"/products/{product_id}/photos", data={"photos": files})
        assert answer.status_code == 422
        assert "“坏的.jpg”不是能打开的照片" in answer.text
        with world.app.app_context():
            assert db.session.get_one(Product, product_id).photos == []

    def test_no_one_adds_to_anothers_product(self, world: World) -> None:
        product_id = world.product(world.producer())
        answer = world.client(world.producer()).post(
            f"/products/{product_id}/photos", data={"photos": [(io.BytesIO(photo()), "a.jpg")]}
        )
        assert answer.status_code == 404
