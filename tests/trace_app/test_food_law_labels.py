"""What food law wants on a pack is on its label, or is said not to be; cases and pallets say what is in them."""

import pypdfium2
import pytest

from tests.trace_app.test_layouts import values_of_a_layout
from tests.world import Actor, World
from trace_app.extensions import db
from trace_app.labels import printing
from trace_app.labels.models import LabelLayout, LabelRun

pytestmark = pytest.mark.either_database

LONG = "XJ-2026-ABCDEFGHIJKLMNOPQRSTUVWX"
DATES = {"best_before": "2099-12-31"}


def _order(world: World, actor: Actor, lot: int, **facts: str):
    order = {"count": "3", "level": "item", "stock": "roll-60x40", "format": "pdf", "excess_reason": "试机", **facts}
    return world.client(actor).post(f"/batches/{lot}/labels", data=order)


def _printed(world: World, actor: Actor, run: int, job: int = 0) -> str:
    """The text of a run's first file, without spaces."""
    with world.app.app_context():
        job_id = db.session.get_one(LabelRun, run).jobs[job].id
        printing.make_files(job_id)
    file = world.client(actor).get(f"/labels/jobs/{job_id}/1").data
    with pypdfium2.PdfDocument(file) as document:
        text = "".join(sheet.get_textpage().get_text_range() for sheet in document)
    return "".join(text.split())


class TestWhatLawWants:
    def test_is_on_every_paper_that_is_large_enough(self, world: World) -> None:
        actor = world.producer()
        lot = world.released(actor, **DATES)
        for stock in ("roll-60x40", "roll-70x50", "roll-100x100", "a4-2x5", "a4-2x4"):
            for pin in (False, True):
                printed = _printed(world, actor, world.run(actor, lot, 1, stock, marked_elsewhere=False, pin=pin))
                for text in ("净重500克", "保质期至2099-12-31", "采收"):
                    assert text in printed, (stock, pin)

    def test_is_told_of_before_printing_where_the_paper_is_too_small(self, world: World) -> None:
        actor = world.producer()
        lot = world.released(actor, lot_number=LONG, **DATES)
        refused = _order(world, actor, lot, stock="roll-40x30")
        assert refused.status_code == 422
        assert "标签上将没有：保质期。" in refused.text
        assert 'name="marked_elsewhere"' in refused.text
        assert "还没有打印过" in refused.text
        assert _order(world, actor, lot, stock="roll-40x30", marked_elsewhere="y").status_code == 302

    def test_is_told_of_where_an_own_layout_has_no_place_for_it(self, world: World) -> None:
        actor = world.producer()
        lot, values = world.released(actor, **DATES), values_of_a_layout(world)
        [details] = [name for name, value in values.items() if isinstance(value, list) and "lot" in value]
        world.client(actor).post("/layouts/new?stock=roll-60x40", data=values | {details: ["lot", "origin"]})
        with world.app.app_context():
            choice = f"own-{db.session.scalars(db.select(LabelLayout.id)).one()}"
        refused = _order(world, actor, lot, stock=choice)
        assert refused.status_code == 422
        assert "标签上将没有：净含量、采收或生产日期、保质期。" in refused.text
        assert _order(world, actor, lot, stock=choice, marked_elsewhere="y").status_code == 302

    def test_a_new_own_layout_begins_with_it(self, world: World) -> None:
        page = world.client(world.producer()).get("/layouts/new?stock=roll-60x40").text
        chosen = [line for line in page.splitlines() if "checked" in line]
        for name in ("net_content", "produced", "best_before"):
            assert any(f'value="{name}"' in line for line in chosen), name

    def test_programs_are_told_what_is_missing(self, world: World) -> None:
        actor = world.producer()
        lot = world.released(actor, lot_number=LONG, **DATES)
        path, token = f"/api/v1/batches/{lot}/label-runs", world.token(actor)
        body = {"stock": "roll-40x30", "count": 3}
        refused = world.client().post(path, json=body, headers=token)
        assert refused.status_code == 422
        assert refused.json["type"].endswith("leaves-off")
        assert "标签上将没有：保质期。" in refused.json["title"]
        assert world.client().post(path, json=body | {"marked_elsewhere": True}, headers=token).status_code == 202

    def test_a_printing_house_gets_codes_without_being_asked(self, world: World) -> None:
        actor = world.producer()
        lot = world.released(actor, lot_number=LONG, **DATES)
        assert _order(world, actor, lot, stock="roll-40x30", format="csv").status_code == 302


class TestCasesAndPallets:
    @pytest.mark.parametrize("level", ["case", "pallet"])
    def test_say_how_many_and_how_much(self, world: World, level: str) -> None:
        actor = world.producer()
        lot = world.released(actor)
        run = world.run(actor, lot, 2, "roll-100x100", level=level, items_each=25, marked_elsewhere=False)
        printed = _printed(world, actor, run)
        assert "内装25件共12.5公斤" in printed
        assert "净重500克" not in printed

    def test_nobody_saying_how_many_is_told_of(self, world: World) -> None:
        actor = world.producer()
        lot = world.released(actor)
        refused = _order(world, actor, lot, level="case", stock="roll-100x100")
        assert refused.status_code == 422
        assert "标签上将没有：内装件数。" in refused.text
        assert _order(world, actor, lot, level="case", stock="roll-100x100", items_each="0").status_code == 422
        assert _order(world, actor, lot, level="case", stock="roll-100x100", items_each="12").status_code == 302

    def test_say_what_is_packed_once_it_is(self, world: World) -> None:
        actor = world.producer()
        lot = world.released(actor)
        client = world.client(actor)
        items = world.run(actor, lot, 5)
        cases = world.run(actor, lot, 2, "roll-100x100", level="case", items_each=2)
        pallet = world.run(actor, lot, 1, "roll-100x100", level="pallet")
        for index in range(3):
            client.post(f"/labels/pack/{world.code(cases)}", data={"code": world.code(items, index)})
        for case in range(2):
            client.post(f"/labels/pack/{world.code(pallet)}", data={"code": world.code(cases, case)})
        assert "内装 3 件 共 1.5 公斤" in client.get(f"/labels/pack/{world.code(cases)}").text
        # The second case has what was declared.
        assert "内装 5 件 共 2.5 公斤" in client.get(f"/labels/pack/{world.code(pallet)}").text
        with world.app.app_context():
            job = db.session.get_one(LabelRun, cases).jobs[0].id
        again = {"reason": "补打", "first": "1", "last": "1", "job": str(job)}
        assert client.post(f"/labels/{cases}/reprint", data=again).status_code == 302
        assert "内装3件共1.5公斤" in _printed(world, actor, cases, job=1)
        both = client.post(f"/labels/{cases}/reprint", data=again | {"last": "2"})
        assert both.status_code == 422
        assert "件数不同（2、3）" in both.text

    def test_the_database_wants_a_number_of_items(self, world: World) -> None:
        actor = world.producer()
        run = world.run(actor, world.released(actor))
        with world.app.app_context(), pytest.raises(Exception, match="items_each"):
            db.session.execute(db.text("UPDATE print_jobs SET items_each = 0 WHERE run_id = :run"), {"run": run})
