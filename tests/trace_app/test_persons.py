"""Natural persons and families as producers: their identity numbers are checked, sealed, and shown in part alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from tests.conftest import settings_for
from tests.world import World
from trace_app.accounts.identity_number import is_identity_number, masked
from trace_app.accounts.models import AuditEvent, Organisation
from trace_app.extensions import db


def _checked(body: str) -> str:
    """An identity number from its first 17 digits."""
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(body))
    return body + "10X98765432"[total % 11]


NUMBER = "11010519491231002X"
"""The example of GB 11643-1999."""
ANOTHER = "110105194912310038"
FORM = {
    "kind": "producer",
    "name": "示例·张三家",
    "division_code": "530324102",
    "credit_code": "",
    "identity_number": "110105 19491231 002x",
}


def test_the_check_character_and_the_day_of_birth_are_looked_at() -> None:
    assert is_identity_number(NUMBER)
    assert is_identity_number(ANOTHER)
    for position in range(18):
        for other in "0123456789X":
            if other != NUMBER[position]:
                assert not is_identity_number(NUMBER[:position] + other + NUMBER[position + 1 :])


@pytest.mark.parametrize(
    "text", ["", "11010519491231002", "110105194913310029", "110105299912310025", "１１010519491231002X", "X" * 18]
)
def test_what_is_no_identity_number_is_none(text: str) -> None:
    assert not is_identity_number(text)


def test_a_number_is_shown_in_part() -> None:
    assert masked("110105199001011234") == "110***********1234"


def _register(client: FlaskClient, **facts: str) -> int:
    made = client.post("/admin/organisations/new", data=FORM | facts)
    assert made.status_code == 302, made.text
    return int(made.location.rsplit("/", 1)[1])


def test_a_person_is_registered_without_a_credit_code_and_its_number_is_shown_in_part(world: World) -> None:
    client = world.client(world.administrator())
    person = _register(client)
    for path in (f"/admin/organisations/{person}", f"/admin/organisations/{person}/edit"):
        page = client.get(path).text
        assert "110***********002X" in page
        assert NUMBER not in page
    same = client.post(
        f"/admin/organisations/{person}/edit", data=FORM | {"name": "示例·张三一家", "identity_number": ""}
    )
    assert same.status_code == 302, same.text
    assert "110***********002X" in client.get(f"/admin/organisations/{person}").text


def test_nobody_is_registered_twice_and_the_refusal_does_not_tell_the_number(world: World) -> None:
    client = world.client(world.administrator())
    _register(client)
    again = client.post("/admin/organisations/new", data=FORM | {"name": "示例·另一家", "identity_number": NUMBER})
    assert again.status_code == 422
    [told] = re.findall(r'id="identity_number-error">([^<]*)<', again.text)
    assert "已经登记过" in told
    _register(client, name="示例·李四家", identity_number=ANOTHER)


def test_who_it_is_already_is_told_to_whose_jurisdiction_it_lies_in(world: World) -> None:
    person = _register(world.client(world.administrator()))
    link = f'href="/admin/organisations/{person}"'
    again = FORM | {"name": "示例·另一家"}
    assert link in world.client(world.administrator()).post("/admin/organisations/new", data=again).text
    with world.app.app_context():
        home = db.session.get_one(Organisation, person).division_code
    elsewhere = "530381" if not home.startswith("530381") else "530324"
    client = world.client(world.administrator(elsewhere))
    told = client.post("/admin/organisations/new", data=again | {"division_code": elsewhere})
    assert told.status_code == 422
    assert "已经登记过" in told.text
    assert link not in told.text
    assert FORM["name"] not in told.text


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"identity_number": ""}, "自然人和家庭没有的，填写身份证号"),
        ({"identity_number": "110105194912310021"}, "身份证号不对"),
        ({"identity_number": _checked("11010519700230001")}, "出生日期 1970-02-30 不可能"),
        ({"identity_number": _checked("11010520990412001")}, "出生日期 2099-04-12 不可能"),
        ({"kind": "buyer"}, "只有生产者可以按身份证号登记"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(world: World, facts: dict[str, str], told: str) -> None:
    answer = world.client(world.administrator()).post("/admin/organisations/new", data=FORM | facts)
    assert answer.status_code == 422
    assert told in answer.text


def test_the_number_stands_nowhere_in_the_clear(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    client = world.client(world.administrator())
    person = _register(client)
    client.post("/admin/organisations/new", data=FORM | {"name": "示例·重复"})
    client.post(f"/admin/organisations/{person}/edit", data=FORM | {"identity_number": ANOTHER})
    with world.app.app_context():
        events = json.dumps([row.facts for row in db.session.scalars(db.select(AuditEvent))], ensure_ascii=False)
        kept = [
            str(value)
            for table in db.metadata.sorted_tables
            for row in db.session.execute(sa.select(table))
            for value in row
        ]
        sealed = db.session.scalars(sa.select(Organisation.identity_sealed).where(Organisation.id == person)).one()
    assert "identity_number" in events
    written = "".join(capfd.readouterr())
    for number in (NUMBER, ANOTHER):
        assert number not in events
        assert number not in written
        assert not [value for value in kept if number in value]
        assert number.encode() not in bytes(sealed or b"")


def test_two_seals_of_one_number_have_nothing_in_common(world: World) -> None:
    from trace_app.accounts.identity_number import seal, unseal

    with world.app.app_context():
        first, second = seal(NUMBER), seal(NUMBER)
        assert first != second
        assert unseal(first) == unseal(second) == NUMBER


def test_with_another_key_the_page_says_so_and_does_not_fail(world: World) -> None:
    client = world.client(world.administrator())
    person = _register(client)
    with world.writing():
        db.session.execute(
            sa.update(Organisation).where(Organisation.id == person).values(identity_sealed=b"of another key" * 4)
        )
    page = client.get(f"/admin/organisations/{person}")
    assert page.status_code == 200
    assert "IDENTITY_KEY 不是原来的" in page.text


def test_the_key_is_kept_where_none_is_set(tmp_path: Path) -> None:
    assert settings_for(tmp_path, identity_key="one").identity_secret == "one"
    assert settings_for(tmp_path).identity_secret == settings_for(tmp_path).identity_secret


def test_a_person_makes_lots_and_issues_certificates_as_a_household(world: World) -> None:
    person = world.producer(credit_code=None, identity_number=NUMBER)
    run = world.run(person, world.released(person))
    page = world.client().get(f"/{world.code(run)}")
    assert page.status_code == 200
    assert NUMBER not in page.text


@pytest.mark.parametrize(
    "values",
    [
        {"credit_code": None, "identity_sealed": None, "identity_fingerprint": None},
        {"identity_fingerprint": "a" * 64},
        {"identity_sealed": b"a"},
    ],
)
def test_the_database_refuses_half_a_person(world: World, values: dict[str, object]) -> None:
    producer = world.producer()
    statement = sa.update(Organisation).where(Organisation.id == producer.organisation_id).values(values)
    with world.app.app_context(), pytest.raises(sa.exc.IntegrityError), db.engine.begin() as connection:
        connection.execute(statement)
