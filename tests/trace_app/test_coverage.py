"""Which lots a record counts for: the pages that go stale, the lots that a recall by input reaches and the records that
the rules see agree with one another, and with the rule read plainly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

import pytest
import sqlalchemy as sa

from tests.world import SPRAYED, Actor, World
from trace_app.accounts.models import Author, User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import ProductKind
from trace_app.extensions import db
from trace_app.recalls.scope import RecallScope, causes
from trace_app.records import service as records
from trace_app.records.coverage import coverage
from trace_app.records.forms import form_for
from trace_app.records.models import Record, RecordType
from trace_app.release.service import load_lot

pytestmark = pytest.mark.both_databases

BEGIN = date(2025, 1, 1)
KINDS = ("ginger", "coix")


@dataclass(frozen=True)
class Made:
    """A record as it was asked for, with the id that it got."""

    record_id: int
    kind: str
    batch_ids: tuple[int, ...]
    site_id: int | None
    season_until: date | None
    input_lot: str
    days: tuple[date, ...]
    """Its day, and before it that of the record that it corrects."""


def _counts(made: Made, lot: Batch, day: date) -> bool:
    """The rule, read plainly."""
    if made.site_id is None:
        return lot.id in made.batch_ids
    began_in_season = lot.started_on <= (made.season_until or date.min)
    not_finished_before = lot.produced_on is None or lot.produced_on >= day
    return (
        lot.site_id == made.site_id and lot.product.kind_code == made.kind and began_in_season and not_finished_before
    )


def _lots(world: World, chance: Random) -> tuple[Actor, list[int], list[int]]:
    """Lots of two kinds on two sites, some not finished yet, with days that often touch one another."""
    actor = world.producer()
    sites = [world.site(actor) for _ in range(2)]
    products = {kind: world.product(actor, kind) for kind in KINDS}
    lots = []
    for _ in range(10):
        started = BEGIN + timedelta(days=10 * chance.randrange(12))
        finished = started + timedelta(days=10 * chance.randrange(1, 12)) if chance.random() < 0.7 else None
        kind = chance.choice(KINDS)
        lots.append(
            world.batch(
                actor,
                kind,
                site_id=chance.choice(sites),
                product_id=products[kind],
                started_on=started.isoformat(),
                produced_on=finished.isoformat() if finished else "",
            )
        )
    return actor, sites, lots


def _enter(world: World, actor: Actor, chance: Random, sites: list[int], lots: list[int], number: int) -> Made:
    """One spraying, for one lot, for several, or for a whole site's season; perhaps corrected afterwards."""
    day = BEGIN + timedelta(days=10 * chance.randrange(1, 20))
    input_lot = f"N{number}"
    facts = SPRAYED | {"happened_on": day.isoformat(), "input_lot": input_lot}
    with world.writing():
        kind = chance.choice(KINDS)
        own = [lot for lot in lots if db.session.get_one(Batch, lot).product.kind_code == kind]
        if own and chance.random() < 0.5:
            chosen = tuple(chance.sample(own, min(len(own), chance.randrange(1, 4))))
            scope = records.Scope(batch_ids=chosen)
        else:
            until = day + timedelta(days=10 * chance.randrange(0, 12))
            scope = records.Scope(site_id=chance.choice(sites), season_until=until)
        user = db.session.get_one(User, actor.user_id)
        form = form_for(RecordType.PESTICIDE, None).parse(facts)
        entry = records.entry_for(db.session.get_one(ProductKind, kind), RecordType.PESTICIDE, None, form.facts)
        record_id = records.add_record(Author.of(user), scope, entry)
    days: tuple[date, ...] = (day,)
    if chance.random() < 0.4:
        with world.writing():
            user = db.session.get_one(User, actor.user_id)
            later = day + timedelta(days=10 * chance.randrange(0, 6))
            changed = form.facts | {"happened_on": later}
            record_id = records.correct_record(user, db.session.get_one(Record, record_id), changed, "写错了").id
            days = (day, later)
    return Made(record_id, kind, scope.batch_ids, scope.site_id, scope.season_until, input_lot, days)


@pytest.mark.parametrize("seed", range(4))
def test_all_three_directions_agree_with_the_rule(world: World, seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - the same lots each time
    actor, sites, lots = _lots(world, chance)
    officer = world.regulator()
    some, none = 0, 0
    for number in range(12):
        versions = {lot: world.version(lot) for lot in lots}
        made = _enter(world, actor, chance, sites, lots, number)
        with world.app.app_context():
            expected = {lot for lot in lots if _counts(made, db.session.get_one(Batch, lot), made.days[-1])}
            shown_before = {lot for lot in lots if _counts(made, db.session.get_one(Batch, lot), made.days[0])}
            pairs = db.session.execute(coverage(Record.id == made.record_id)).all()
            assert {pair.batch_id for pair in pairs} == expected
            # From a lot: the records that the rules see.
            seen = {lot for lot in lots if made.record_id in _judged(lot)}
            assert seen == expected
            # By what was used: the lots that a recall reaches.
            scope = RecallScope(input_lot=made.input_lot)
            reached = causes(db.session.get_one(User, officer.user_id), scope)
            assert set(db.session.scalars(reached)) == expected
        # The pages that went stale: those that show it, and those that showed what it corrects.
        assert {lot for lot in lots if world.version(lot) > versions[lot]} == expected | shown_before
        some, none = some + bool(expected), none + (not expected)
    assert some > none


def _judged(batch_id: int) -> set[int]:
    return {record.id for record in load_lot(db.session.get_one(Batch, batch_id)).records}


def test_a_record_of_the_very_days_at_the_edges_counts(world: World) -> None:
    actor = world.producer()
    site = world.site(actor)
    lot = world.batch(actor, site_id=site, started_on="2025-03-12", produced_on="2025-11-06")

    def counts(day: str, until: str) -> bool:
        with world.writing():
            user = db.session.get_one(User, actor.user_id)
            form = form_for(RecordType.CARE, None).parse({"happened_on": day, "note": "巡田"})
            entry = records.entry_for(db.session.get_one(ProductKind, "ginger"), RecordType.CARE, None, form.facts)
            scope = records.Scope(site_id=site, season_until=date.fromisoformat(until))
            record_id = records.add_record(Author.of(user), scope, entry)
            found = db.session.execute(coverage(Record.id == record_id, Batch.id == lot)).all()
            return [tuple(pair) for pair in found] == [(record_id, lot)]

    assert counts("2025-11-06", "2025-12-31")
    assert not counts("2025-11-07", "2025-12-31")
    assert counts("2025-01-01", "2025-03-12")
    assert not counts("2025-01-01", "2025-03-11")


def test_a_correction_makes_the_pages_stale_that_showed_what_it_corrects(world: World) -> None:
    actor = world.producer()
    site = world.site(actor)
    lot = world.batch(actor, site_id=site, started_on="2025-03-12", produced_on="2025-06-01")
    with world.writing():
        user = db.session.get_one(User, actor.user_id)
        form = form_for(RecordType.CARE, None).parse({"happened_on": "2025-05-20", "note": "巡田"})
        entry = records.entry_for(db.session.get_one(ProductKind, "ginger"), RecordType.CARE, None, form.facts)
        scope = records.Scope(site_id=site, season_until=date(2025, 12, 31))
        record_id = records.add_record(Author.of(user), scope, entry)
    before = world.version(lot)
    with world.writing():
        user, old = db.session.get_one(User, actor.user_id), db.session.get_one(Record, record_id)
        records.correct_record(user, old, form.facts | {"happened_on": date(2025, 6, 10)}, "日期写错")
    assert world.version(lot) > before


def test_each_way_is_found_by_an_index(world: World) -> None:
    """A lot's records are not looked for among all records."""
    with world.app.app_context():
        if db.engine.dialect.name != "sqlite":
            db.session.execute(sa.text("SET LOCAL enable_seqscan TO off"))
        query = coverage(Batch.id == 1).compile(db.engine, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN " if db.engine.dialect.name == "sqlite" else "EXPLAIN "
        plan = "\n".join(str(row) for row in db.session.execute(sa.text(explain + str(query))))
    assert "SCAN records" not in plan
    assert "Seq Scan on records" not in plan
