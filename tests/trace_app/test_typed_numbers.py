"""Numbers as people type them: what may be read in two ways is refused with both, never guessed."""

from __future__ import annotations

import itertools
import re
from decimal import Decimal

import pytest

from tests.world import World
from trace_app.batches.models import Batch
from trace_app.extensions import db
from trace_app.numbers import NotANumber, read_amount, read_number


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("12.5", "12.5"),
        (" 12.5 ", "12.5"),
        ("１２．５", "12.5"),
        ("1，250.5", "1250.5"),
        ("1,234,567.8", "1234567.8"),
        ("12,345,678", "12345678"),
        ("1 250 000", "1250000"),
        ("-3", "-3"),
        ("－3", "-3"),
        ("0.050", "0.05"),
        (".5", "0.5"),
        ("1.2万", "12000"),
        ("3千", "3000"),
    ],
)
def test_a_number_is_read(typed: str, number: str) -> None:
    assert read_number(typed) == Decimal(number)


@pytest.mark.parametrize(
    ("typed", "one", "other"),
    [
        ("0,05", "0.05", "5"),
        ("0，05", "0.05", "5"),
        ("1,5", "1.5", "15"),
        ("12,5", "12.5", "125"),
        ("1,250", "1.25", "1250"),
        ("-1,5 公斤", "-1.5", "-15"),
        ("1,2500", "1.25", "12500"),
    ],
)
def test_a_comma_that_may_be_two_things_is_refused_with_both(world: World, typed: str, one: str, other: str) -> None:
    with world.app.test_request_context(), pytest.raises(NotANumber) as refused:
        read_number(typed, "kg")
    with world.app.test_request_context():
        assert f"是 {one} 还是 {other}？" in str(refused.value.message)


@pytest.mark.parametrize(
    "typed",
    ["12 5", "1,25,0", "", "十二", "NaN", "1.2.3", "1_000", "1e5", "1E5", "0x1F", "∞", "Infinity", "1.234,5", "5²", "①",
     "½", "١٢", "5-10", "约5", "5.", "12。5", "2斤5两", "1万2", "(5)", "5‰", "--5", "5,", ",5", "1'000", "半", "2万半"],
)  # fmt: skip
def test_what_may_mean_something_else_is_no_number(typed: str) -> None:
    with pytest.raises(NotANumber):
        read_number(typed, "kg")


@pytest.mark.parametrize(
    ("typed", "unit", "number", "became"),
    [
        ("300斤", "kg", "150", "150 公斤"),
        ("300 市斤", "g", "150000", "150000 克"),
        ("300公斤", "kg", "300", ""),
        ("1.5吨", "kg", "1500", "1500 公斤"),
        ("1.2万斤", "kg", "6000", "6000 公斤"),
        ("3千克", "kg", "3", ""),
        ("3千斤", "kg", "1500", "1500 公斤"),
        ("半斤", "kg", "0.25", "0.25 公斤"),
        ("2斤半", "kg", "1.25", "1.25 公斤"),
        ("80斤/亩", "kg_per_mu", "40", "40 公斤/亩"),
        ("40 KG/亩", "g_per_mu", "40000", "40000 克/亩"),
        ("2公顷", "mu", "30", "30 亩"),
        ("3亩", "mu", "3", ""),
        ("15％", "percent", "15", ""),
        ("14天", "day", "14", ""),
        ("1.2万", "kg", "12000", "12000 公斤"),
    ],
)
def test_units_are_counted_over_and_it_is_said_what_they_became(
    world: World, typed: str, unit: str, number: str, became: str
) -> None:
    with world.app.test_request_context():
        amount = read_amount(typed)
        assert (amount.in_unit(unit), amount.became(unit)) == (Decimal(number), became)


@pytest.mark.parametrize(("typed", "unit"), [("3升", "kg"), ("15%", "kg"), ("3亩", "percent"), ("3斤", "kg_per_mu")])
def test_a_unit_of_another_kind_is_refused(typed: str, unit: str) -> None:
    with pytest.raises(NotANumber):
        read_number(typed, unit)


PARTS = ("0", "1", "5", "12", "050", "234", "1000")
SIGNS = (".", ",", "，", "．", " ", "_", "e", "'", "，0", "。", "·", "²", "万")


def _as_a_person_reads(text: str) -> set[Decimal]:
    """Every number that anyone may read in a text of digits and signs."""
    plain = text.translate(str.maketrans("０１２３４５６７８９，．", "0123456789,."))
    found: set[Decimal] = set()
    times = Decimal(1)
    if plain.endswith("万"):
        plain, times = plain[:-1], Decimal(10_000)
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", plain):
        found.add(Decimal(plain) * times)
    for thousands, point in ((",", "."), (".", ","), (" ", "."), (" ", ",")):
        grouped = rf"[0-9]{{1,3}}(\{thousands}[0-9]{{3}})+(\{point}[0-9]+)?"
        if thousands != "." and re.fullmatch(grouped, plain):
            found.add(Decimal(plain.replace(thousands, "").replace(point, ".")) * times)
    if re.fullmatch("[0-9]+,[0-9]+", plain):
        found.add(Decimal(plain.replace(",", ".")) * times)
        found.add(Decimal(plain.replace(",", "")) * times)
    return found


def test_no_spelling_is_accepted_as_another_number_than_a_person_reads() -> None:
    spelled = {"".join(parts) for parts in itertools.product(PARTS, SIGNS, PARTS)}
    spelled |= {
        "".join(parts) for parts in itertools.product(("1", "12", "1000"), SIGNS, ("234", "5"), SIGNS, ("5", "678"))
    }
    spelled |= {f"{text}万" for text in spelled if not text.endswith("万")}
    accepted = 0
    for text in sorted(spelled):
        try:
            number = read_number(text)
        except NotANumber:
            continue
        accepted += 1
        assert _as_a_person_reads(text) == {number}, text
    assert accepted > 100


def test_a_form_takes_half_kilograms_and_says_what_they_became(world: World) -> None:
    actor = world.producer()
    batch_id = world.batch(actor, lot_number="JIN-1")
    client = world.client(actor)
    with world.app.app_context():
        batch = db.session.get_one(Batch, batch_id)
        values = {
            "product_id": str(batch.product_id),
            "site_id": str(batch.site_id),
            "lot_number": "JIN-2",
            "unit": "kg",
            "started_on": "2025年3月12日",
        }
    refused = client.post("/batches/new", data=values | {"quantity": "12,5"})
    assert refused.status_code == 422
    assert "“12,5”是 12.5 还是 125？" in refused.text
    assert 'value="12,5"' in refused.text
    assert 'type="number"' not in refused.text
    taken = client.post("/batches/new", data=values | {"quantity": "300斤"})
    assert taken.status_code == 302
    assert "“300斤”记为 150 公斤" in client.get(taken.location).text
    with world.app.app_context():
        made = db.session.scalar(db.select(Batch).filter_by(lot_number="JIN-2"))
        assert made is not None
        assert (made.quantity, str(made.started_on)) == (Decimal(150), "2025-03-12")
