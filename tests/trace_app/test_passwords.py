"""Which passwords are taken, whoever sets them."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.trace_app.test_slips import slip_in
from tests.world import PASSWORD, World
from trace_app.accounts.models import RoleName
from trace_app.accounts.passwords import fault_of

GUESSED = [
    "password",
    "12345678",
    "qwertyuiop",
    "1q2w3e4r",
    "woaini1314",
    "luoping123",
    "luoping2026",
    "qujing666",
    "罗平小黄姜",
    "88888888",
    "p@ssw0rd1",
    "abcd1234",
]


@pytest.mark.parametrize("password", GUESSED)
@pytest.mark.parametrize("role", [RoleName.PRODUCER, RoleName.REGULATOR, None])
def test_what_guessing_finds_soon_will_not_do(password: str, role: RoleName | None) -> None:
    assert fault_of(password, role)


@pytest.mark.parametrize(
    ("password", "producer", "officer"),
    [
        ("tide-9xk", True, False),
        ("姜田里的三只白鹭飞过", True, False),
        ("姜田里的三只白鹭飞过了河", True, True),
        ("mulberry tractor lantern", True, True),
        ("k7#vQ2!mZp4w", True, True),
        ("x" * 72, False, False),
        ("k7#vQ2!mZp4w" * 500, True, True),
    ],
)
def test_length_goes_by_what_an_account_may_do(password: str, producer: bool, officer: bool) -> None:
    assert (not fault_of(password, RoleName.PRODUCER)) is producer
    for role in (RoleName.REGULATOR, RoleName.ADMINISTRATOR):
        assert (not fault_of(password, role)) is officer


def test_what_others_know_of_the_owner_is_guessed_first() -> None:
    assert not fault_of("zhenghuiqin1", RoleName.PRODUCER)
    assert fault_of("zhenghuiqin1", RoleName.PRODUCER, ["zhenghuiqin", "郑慧琴"])


@pytest.mark.parametrize("password", ["short", "password1234"])
def test_every_form_that_sets_one_says_so_beside_the_field(world: World, password: str) -> None:
    grower, chief = world.producer(), world.administrator()
    slip = slip_in(world.client(chief).post(f"/admin/users/{world.producer().user_id}/reset"))

    def told(client: FlaskClient, path: str, data: dict[str, str]) -> None:
        answer = client.post(path, data=data)
        assert answer.status_code == 422, path
        assert "几个不相干的词" in answer.text
        assert password not in answer.text

    new = {"new": password, "again": password}
    told(world.client(grower), "/account/password", {"current": PASSWORD} | new)
    told(world.client(), slip, new)
