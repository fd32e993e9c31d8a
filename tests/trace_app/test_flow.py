"""Lots made of lots, and recalls that follow them."""

import re
import threading
from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import empty
from tests.pages import refused_in_its_fold
from tests.world import SPRAYED, Actor, World
from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.certificates.models import CommitmentCertificate
from trace_app.extensions import db
from trace_app.flow.balance import balance_of, intake_of
from trace_app.flow.genealogy import service
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.genealogy.picture import MOST_NODES, draw
from trace_app.flow.shipments.models import LotLoss
from trace_app.recalls.models import Recall
from trace_app.recalls.scope import RecallScope, affected

NOTICE = {"level": "2", "reason": "镉超标", "advice": "停止食用", "reason_en": "Cadmium", "advice_en": "Do not eat"}


def _link(world: World, actor: Actor, source: int, target: int, quantity: str = "10") -> None:
    with world.writing():
        lots = [db.session.get_one(Batch, number) for number in (source, target)]
        service.link_lots(
            db.session.get_one(User, actor.user_id), *lots, quantity=Decimal(quantity), happened_on=lots[0].started_on
        )


def _lots(world: World, actor: Actor, *names: str) -> list[int]:
    product, site = world.product(actor), world.site(actor)
    return [world.batch(actor, product_id=product, site_id=site, lot_number=name, quantity="100") for name in names]


class TestLinking:
    def _post(self, client, target: int, **values: str):
        return client.post(
            f"/batches/{target}/genealogy", data={"quantity": "10", "happened_on": "2025-11-07", **values}
        )

    def test_own_lots_by_choice_and_others_by_their_label(self, world: World) -> None:
        ham_works, bakery = world.producer("530381001"), world.producer("530381002")
        ham, code = world.labelled(ham_works, "ham", division="530381001", lot_number="HAM-1")
        cakes = world.batch(bakery, "ham_mooncake", "530381002", lot_number="CAKE-1")
        client = world.client(bakery)
        made = self._post(client, cakes, code=f"http://127.0.0.1:8000/{code}", quantity="40")
        assert made.status_code == 302
        page = client.get(made.location).text
        assert "HAM-1" in page
        assert "40 只（腿）" in page
        assert f'href="/batches/{ham}/genealogy"' not in page
        assert "CAKE-1" in world.client(ham_works).get(f"/batches/{ham}/genealogy").text
        world.complete(bakery, cakes)
        client.post(f"/batches/{cakes}/release")
        scanned = world.client().get("/" + world.code(world.run(bakery, cakes))).text
        assert "由哪些批次做成" in scanned
        assert "HAM-1" in scanned

    def test_a_circle_is_refused_however_long(self, world: World) -> None:
        actor = world.producer()
        one, two, three = _lots(world, actor, "C-1", "C-2", "C-3")
        _link(world, actor, one, two)
        _link(world, actor, two, three)
        client = world.client(actor)
        assert "不能再倒过来" in self._post(client, one, source_id=str(three)).text
        assert self._post(client, one, source_id=str(one)).status_code == 422

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"quantity": "-1"}, "须在"),
            ({"quantity": "101"}, "还剩 100"),
            ({"quantity": ""}, "请填写此项"),
            ({"source_id": ""}, "请选择来源批次"),
            ({"source_id": "", "code": "1ABC"}, "没有“1ABC”这个追溯码"),
            ({"happened_on": "2999-01-01"}, "不能晚于今天"),
        ],
    )
    def test_what_cannot_be_is_refused_with_what_to_do(
        self, world: World, values: dict[str, str], message: str
    ) -> None:
        actor = world.producer()
        source, target = _lots(world, actor, "Q-1", "Q-2")
        answer = self._post(world.client(actor), target, **{"source_id": str(source), "note": "留着的备注"} | values)
        assert answer.status_code == 422
        assert message in answer.text
        assert "留着的备注" in answer.text

    def test_no_more_goes_out_than_there_is_and_a_withdrawn_link_gives_back(self, world: World) -> None:
        actor = world.producer()
        source, one, two = _lots(world, actor, "B-1", "B-2", "B-3")
        _link(world, actor, source, one, "70")
        client = world.client(actor)
        assert "还剩 30" in self._post(client, two, source_id=str(source), quantity="31").text
        with world.app.app_context():
            link = db.session.scalars(db.select(LotLink.id)).one()
        empty = client.post(f"/genealogy/{link}/withdraw", data={"reason": ""})
        assert empty.status_code == 422
        assert refused_in_its_fold(empty.text) == f"link-{link}-reason"
        assert client.post(f"/genealogy/{link}/withdraw", data={"reason": "选错"}).status_code == 302
        assert self._post(client, two, source_id=str(source), quantity="100").status_code == 302
        assert client.post(f"/genealogy/{link}/withdraw", data={"reason": "再来"}).status_code == 404
        assert world.client(world.producer()).post("/genealogy/2/withdraw", data={"reason": "x"}).status_code == 404

    def test_a_recalled_lot_goes_into_nothing(self, world: World) -> None:
        actor = world.producer()
        source, target = world.released(actor, lot_number="R-1"), world.batch(actor)
        world.recall(world.regulator(), source)
        assert "已召回，此操作已停用。请联系" in self._post(world.client(actor), target, source_id=str(source)).text

    @pytest.mark.parametrize("notice", [{"kind": "hold"}, {"level": "1"}])
    def test_a_lot_on_hold_or_awaiting_a_second_officer_goes_into_nothing(
        self, world: World, notice: dict[str, str]
    ) -> None:
        actor = world.producer()
        source, target = world.released(actor, lot_number="R-1"), world.batch(actor)
        held = world.client(world.regulator()).post(f"/batches/{source}/recall", data=NOTICE | notice)
        assert held.status_code == 302
        answer = self._post(world.client(actor), target, source_id=str(source))
        assert answer.status_code == 422
        assert "已被暂停销售" in answer.text

    def test_two_links_at_once_close_no_circle(self, world: World) -> None:
        actor = world.producer()
        one, two = _lots(world, actor, "X-1", "X-2")
        clients = [world.client(actor) for _ in range(2)]
        answers: list[int] = []
        threads = [
            threading.Thread(
                target=lambda c=c, s=s, t=t: answers.append(self._post(c, t, source_id=str(s)).status_code)
            )
            for c, s, t in zip(clients, (one, two), (two, one), strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [302, 422]


class TestPicture:
    def test_two_hundred_lots_stay_readable_and_more_are_folded(self, world: World) -> None:
        actor = world.producer()
        centre, *others = _lots(world, actor, *(f"P-{n:03d}" for n in range(231)))
        for lot in others:
            _link(world, actor, centre, lot, "0.1")
        with world.app.app_context():
            found = service.genealogy(db.session.get_one(Batch, centre))
            picture = draw(found)
            assert len(found.forward) == 230
            assert len(picture.nodes) == MOST_NODES
            assert [fold.count for fold in picture.folds] == [31]
            boxes = [(node.x, node.y) for node in picture.nodes]
            assert len(set(boxes)) == len(boxes)
        page = world.client(actor).get(f"/batches/{centre}/genealogy").text
        assert "另有 31 批" in page
        assert page.count("<tr>") > 230

    def test_every_link_goes_to_the_right(self, world: World) -> None:
        actor = world.producer()
        a, b, c, d = _lots(world, actor, "D-1", "D-2", "D-3", "D-4")
        for source, target in ((a, b), (b, c), (a, c), (c, d), (a, d)):
            _link(world, actor, source, target, "1")
        with world.app.app_context():
            for lot in (a, b, c, d):
                picture = draw(service.genealogy(db.session.get_one(Batch, lot)))
                column = {node.lot.id: node.column for node in picture.nodes}
                assert column[lot] == 0
                assert all(column[s] < column[t] for s, t in ((a, b), (b, c), (c, d)) if s in column and t in column)


class TestScope:
    def _bad_pesticide(self, world: World) -> tuple[Actor, dict[str, int]]:
        """Two fields sprayed from one lot of pesticide; one harvest merged with a clean one and packed twice."""
        actor = world.producer("530324102")
        names = ("BAD-1", "BAD-2", "CLEAN-1", "MERGED-1", "PACK-1", "PACK-2", "APART-1")
        lots = dict(zip(names, _lots(world, actor, *names), strict=True))
        for name in ("BAD-1", "BAD-2"):
            world.record(actor, lots[name], "pesticide", **SPRAYED | {"input_lot": "N666"})
        for source, target in (
            ("BAD-1", "MERGED-1"),
            ("CLEAN-1", "MERGED-1"),
            ("MERGED-1", "PACK-1"),
            ("MERGED-1", "PACK-2"),
        ):
            _link(world, actor, lots[source], lots[target])
        return actor, lots

    def test_an_input_lot_reaches_all_that_was_made_with_it_and_says_why(self, world: World) -> None:
        self._bad_pesticide(world)
        page = world.client(world.regulator()).get("/recalls/scope?input_lot=N666").text
        assert set(re.findall(r">((?:BAD|MERGED|PACK|CLEAN|APART)-\d)</a>", page)) == {
            "BAD-1",
            "BAD-2",
            "MERGED-1",
            "PACK-1",
            "PACK-2",
        }
        assert "BAD-1 → MERGED-1 → PACK-2" in page

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("ingredient=苯醚甲环唑", 5),
            ("ingredient=苯醚甲环唑&begins=2025-09-16", 0),
            ("ingredient=苯醚甲环唑&begins=2025-09-15&ends=2025-09-15", 5),
            ("lots=BAD-2", 1),
            ("lots=BAD-2、CLEAN-1", 5),
            ("supplier=无此店", 0),
            ("kind_code=ginger&division=530324", 7),
            ("site=基地", 7),
            ("input_lot=N666&lots=BAD-2", 1),
            ("failed_analyte=镉", 0),
            ("product=产品&begins=2025-11-07", 0),
        ],
    )
    def test_by_what_is_known(self, world: World, query: str, expected: int) -> None:
        self._bad_pesticide(world)
        answer = world.client(world.regulator()).get(f"/recalls/scope?{query}")
        if expected:
            assert f"<b>{expected}</b><small>批次" in answer.text
        else:
            assert answer.status_code == 422
            assert "没有批次符合" in answer.text

    def test_by_a_failed_test_it_reaches_what_failed_and_not_what_passed(self, world: World) -> None:
        grower = world.producer()
        client = world.client(grower)
        for name, cadmium, lead in (
            ("FAILED-1", "0.18", "0.01"),
            ("PASSED-1", "0.02", "0.01"),
            ("OTHER-1", "0.02", "5"),
        ):
            lot = world.released(grower, lot_number=name)
            report = {
                "kind": "own",
                "report_number": name,
                "laboratory": "中心",
                "cma_number": "230000000001",
                "sample": "样",
                "sampled_on": "2025-11-10",
                "issued_on": "2025-11-15",
                "line-analyte": ["镉", "铅"],
                "line-result": [cadmium, lead],
                "line-unit": ["mg/kg"] * 2,
                "line-method": [""] * 2,
            }
            failing = [f"镉 {cadmium} mg/kg"] * (cadmium > "0.1") + [f"铅 {lead} mg/kg"] * (lead > "0.1")
            confirmed = {"confirmed": "；".join(failing)}
            assert client.post(f"/batches/{lot}/tests/new", data=report | confirmed).status_code == 302
        page = world.client(world.regulator()).get("/recalls/scope?failed_analyte=镉").text
        assert set(re.findall(r">(\w+-1)</a>", page)) == {"FAILED-1"}

    def test_by_its_name_a_product_is_told_from_others(self, world: World) -> None:
        grower = world.producer()
        world.batch(grower, product_name="老姜", lot_number="OLD-1")
        world.batch(grower, product_name="嫩姜", lot_number="YOUNG-1")
        client = world.client(world.regulator())
        for query, found in (("老", {"OLD-1"}), ("嫩姜", {"YOUNG-1"}), ("姜", {"OLD-1", "YOUNG-1"})):
            page = client.get(f"/recalls/scope?product={query}").text
            assert set(re.findall(r">(\w+-1)</a>", page)) == found

    def test_a_scope_that_says_nothing_is_asked_for_more(self, world: World) -> None:
        self._bad_pesticide(world)
        client = world.client(world.regulator())
        assert "范围太宽" in client.get("/recalls/scope?division=530324").text
        assert "范围太宽" in client.get("/recalls/scope?begins=2025-01-01").text
        assert client.get("/recalls/scope").status_code == 200

    def test_the_cause_lies_in_the_jurisdiction_and_the_recall_goes_wherever_it_went(self, world: World) -> None:
        ham_works, bakery = world.producer("530381001"), world.producer("530324001")
        ham, code = world.labelled(ham_works, "ham", division="530381001", lot_number="HAM-1")
        cakes = world.batch(bakery, "ham_mooncake", "530324001", lot_number="CAKE-1")
        world.client(bakery).post(
            f"/batches/{cakes}/genealogy", data={"code": code, "quantity": "1", "happened_on": "2025-11-07"}
        )
        world.complete(bakery, cakes)
        world.client(bakery).post(f"/batches/{cakes}/release")
        scanned = world.code(world.run(bakery, cakes))
        stranger, officer = world.client(world.regulator("530324")), world.client(world.regulator("530381"))
        assert "没有批次符合" in stranger.get("/recalls/scope?lots=HAM-1").text
        assert officer.post("/recalls/scope", data=NOTICE | {"lots": "HAM-1", "count": "2"}).status_code == 302
        for each in (code, scanned):
            assert "正在召回，请勿食用" in world.client().get(f"/{each}").text
        assert ham
        notice = world.client().get("/recalls").text
        assert "HAM-1、CAKE-1" in notice

    def test_lots_are_left_out_with_a_reason_alone_and_the_count_is_typed(self, world: World) -> None:
        _actor, lots = self._bad_pesticide(world)
        client = world.client(world.regulator())
        base = NOTICE | {"input_lot": "N666"}
        out = {"out": str(lots["PACK-2"])}
        assert "须写明理由" in client.post("/recalls/scope", data=base | out | {"count": "4"}).text
        out[f"why-{lots['PACK-2']}"] = "未出库，已封存"
        assert "范围内现在有 4 批" in client.post("/recalls/scope", data=base | out | {"count": "5"}).text
        assert client.post("/recalls/scope", data=base | {"count": "5", "reason": ""}).status_code == 422
        with world.app.app_context():
            assert db.session.scalar(db.select(db.func.count(Recall.id))) == 0
        before = world.version(lots["PACK-2"])
        assert client.post("/recalls/scope", data=base | out | {"count": "4"}).status_code == 302
        with world.app.app_context():
            recall = db.session.scalars(db.select(Recall)).one()
            assert (recall.lot_count, recall.scope) == (4, {"input_lot": "N666"})
            assert [(e.batch.lot_number, e.reason) for e in recall.exclusions] == [("PACK-2", "未出库，已封存")]
            recalled = {b.lot_number for b in db.session.scalars(db.select(Batch).where(Batch.recalled))}
            assert recalled == {"BAD-1", "BAD-2", "MERGED-1", "PACK-1"}
        assert world.version(lots["PACK-2"]) > before
        assert recall.number in client.get(f"/batches/{lots['BAD-1']}").text
        assert client.post("/recalls/scope", data=NOTICE | {"lots": "PACK-1", "count": "0"}).status_code == 422
        assert "没有新的批次" in client.post("/recalls/scope", data=NOTICE | {"lots": "PACK-1", "count": "1"}).text

    def test_two_officers_at_once_make_one_recall(self, world: World) -> None:
        self._bad_pesticide(world)
        clients = [world.client(world.regulator("530324")), world.client(world.regulator("530300"))]
        answers: list[int] = []
        data = NOTICE | {"input_lot": "N666", "count": "5"}
        threads = [
            threading.Thread(target=lambda c=c: answers.append(c.post("/recalls/scope", data=data).status_code))
            for c in clients
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [302, 422]
        with world.app.app_context():
            assert db.session.scalar(db.select(db.func.count(Recall.id))) == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_affected_are_what_a_plain_search_finds(app: Flask, data: st.DataObject) -> None:
    """Random genealogies with splits, merges and rework: every link goes from an earlier lot to a later one."""
    with app.app_context():
        empty()
    world = World(app)
    actor, officer = world.producer(), world.regulator()
    count = data.draw(st.integers(2, 14))
    lots = _lots(world, actor, *(f"H-{n}" for n in range(count)))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda pair: pair[0] < pair[1])
    links = data.draw(st.lists(pairs, unique=True, max_size=30))
    gone = data.draw(st.sets(st.sampled_from(links))) if links else set()
    with world.writing():
        for source, target in links:
            db.session.add(
                LotLink(source_id=lots[source], target_id=lots[target], quantity=Decimal(1), happened_on=_day())
            )
    with world.writing():
        for link in db.session.scalars(db.select(LotLink)):
            if (lots.index(link.source_id), lots.index(link.target_id)) in gone:
                link.withdrawn_at, link.withdrawn_reason = _now(), "看错"
    causes = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=3))
    reached, edge = set(causes), set(causes)
    while edge:
        edge = {t for s, t in links if s in edge and (s, t) not in gone} - reached
        reached |= edge
    with app.app_context():
        user = db.session.get_one(User, officer.user_id)
        scope = RecallScope(lots=" ".join(f"H-{n}" for n in causes))
        with affected(user, scope) as found:
            assert sorted(db.session.scalars(found.ids)) == sorted(lots[n] for n in reached)
        for direction in ("forward", "backward"):
            for lot in lots:
                steps = service.steps_from(lot, direction)
                assert len({step.link_id for step in steps}) == len(steps)


def _day():
    from datetime import date

    return date(2025, 11, 7)


def _now():
    from trace_app.db.base import utc_now

    return utc_now()


def test_what_others_made_of_a_lot_is_gone_once_whether_it_was_sent_to_them_or_not(world: World) -> None:
    grower, packer, stranger = world.producer(), world.producer(name="姜厂"), world.producer()
    lot = world.released(grower, quantity="100")
    form = {"consignee": "姜厂", "organisation": "姜厂", "departed_at": "2026-11-20T08:30", f"q-{lot}": "40"}
    assert world.client(grower).post("/shipments/new", data=form).status_code == 302

    def left(holder: Actor) -> float:
        with world.app.app_context():
            return float(balance_of(db.session.get_one(Batch, lot), holder.organisation_id).left)

    _link(world, packer, lot, world.batch(packer), "10")
    assert (left(grower), left(packer)) == (60, 30)
    _link(world, stranger, lot, world.batch(stranger), "5")
    assert left(grower) == 55


def test_how_much_of_a_lot_its_intake_explains(world: World) -> None:
    actor = world.producer()
    site, product = world.site(actor), world.product(actor)

    def lot(quantity: str, unit: str) -> int:
        return world.batch(actor, site_id=site, product_id=product, quantity=quantity, unit=unit)

    made = lot("0.6", "t")
    for quantity, unit, into in (("500", "kg", "400"), ("9", "t", "0.1")):
        _link(world, actor, lot(quantity, unit), made, into)
    with world.app.app_context():
        intake = intake_of(db.session.get_one(Batch, made))
    assert (intake.amounts, float(intake.share or 0)) == ({"kg": Decimal(400), "t": Decimal("0.1")}, 1.2)


@pytest.mark.parametrize("deed", ["lose", "withdraw-loss", "withdraw-link", "withdraw-commitment"])
def test_a_refused_form_of_a_lots_goods_comes_back_with_what_was_typed(world: World, deed: str) -> None:
    grower = world.producer()
    client, lot = world.client(grower), world.released(grower, quantity="100", lot_number="BACK-1")
    made = world.released(grower, quantity="10", lot_number="BACK-2")
    why = "因" * 301
    if deed == "lose":
        values = {"kind": "lost", "quantity": "500", "reason": "仓库漏雨"}
        answer = client.post(f"/batches/{lot}/lose", data=values)
        assert "还剩 100" in answer.text
        assert 'value="仓库漏雨"' in answer.text
        assert answer.text.count('value="500"') == 1
    else:
        with world.app.app_context():
            if deed == "withdraw-loss":
                lost = {"kind": "lost", "quantity": "5", "reason": "霉变"}
                assert client.post(f"/batches/{lot}/lose", data=lost).status_code == 302
                path = f"/losses/{db.session.scalar(sa.select(LotLoss.id))}/withdraw"
            elif deed == "withdraw-link":
                linked = {"source_id": str(lot), "quantity": "5", "happened_on": "2026-01-05"}
                assert client.post(f"/batches/{made}/genealogy", data=linked).status_code == 302
                path = f"/genealogy/{db.session.scalar(sa.select(LotLink.id))}/withdraw"
            else:
                given = {"quantity": "100", "bases": ["own_control"]}
                assert client.post(f"/batches/{lot}/commitments", data=given).status_code == 302
                path = f"/commitments/{db.session.scalar(sa.select(CommitmentCertificate.id))}/withdraw"
        answer = client.post(path, data={"reason": why})
        assert f'value="{why}"' in answer.text
        assert "最多 300 个字" in answer.text
        assert "<details open>" in answer.text
        assert client.post(path, data={"reason": "写错了"}).status_code == 302
    assert answer.status_code == 422
