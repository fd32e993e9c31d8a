"""What may be tried how often from one address: the table of limits, each up to its edge."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.world import PASSWORD, Actor, World
from trace_app.feedback import forms

pytestmark = pytest.mark.either_database

LIMITS: list[tuple[str, str, int, str]] = [
    ("POST", "/login", 20, "nobody"),
    ("POST", "/slips", 5, "nobody"),
    ("POST", "/slips/none", 30, "nobody"),
    ("GET", "/slips/none", 60, "nobody"),
    ("POST", "/find", 20, "nobody"),
    ("GET", "/find", 60, "nobody"),
    ("GET", "/recalls/check", 60, "nobody"),
    ("GET", "/0000000000000", 60, "nobody"),
    ("POST", "/0000000000000/pin", 30, "nobody"),
    ("POST", "/0000000000000/feedback", 60, "nobody"),
    ("POST", "/receive/0000000000000", 30, "nobody"),
    ("POST", "/recall-tasks/none/acknowledge", 30, "nobody"),
    ("POST", "/recall-tasks/none/report", 30, "nobody"),
    ("POST", "/factors", 10, "producer"),
    ("POST", "/labels/check", 30, "producer"),
    ("POST", "/labels/pack/none/photo", 30, "producer"),
    ("POST", "/layouts/preview/roll-60x40", 240, "producer"),
    ("GET", "/api/v1/recalls", 600, "nobody"),
]


@pytest.mark.parametrize(("method", "path", "most", "who"), LIMITS, ids=[path for _m, path, _n, _w in LIMITS])
def test_what_is_tried_too_often_is_slowed(world: World, method: str, path: str, most: int, who: str) -> None:
    actor = world.producer() if who == "producer" else None
    client = world.client(actor)

    def ask(who: Any = client) -> int:
        return int(who.open(path, method=method).status_code)

    answers = [ask() for _ in range(most)]
    assert 429 not in answers
    assert ask() == 429
    assert ask(world.client(actor)) != 429


def test_guessing_one_accounts_password_is_slowed_and_locks_nobody_out(world: World) -> None:
    actor, colleague = world.producer(), world.producer()
    guesser, owner = world.client(), world.client()

    def sign_in(client: FlaskClient, who: Actor, password: str, name: str = "") -> int:
        data = {"email": name or who.username, "password": password}
        return int(client.post("/login", data=data).status_code)

    assert [sign_in(guesser, actor, f"guess number {n}") for n in range(10)] == [200] * 10
    # However it is spelt, and although the password is right now.
    assert sign_in(guesser, actor, PASSWORD) == 429
    assert sign_in(guesser, actor, PASSWORD, f" {actor.username.upper()} ") == 429
    # From elsewhere the owner comes in, and from there another account.
    assert sign_in(owner, actor, PASSWORD) == 302
    assert sign_in(guesser, colleague, PASSWORD) == 302


def test_who_signs_in_often_is_not_slowed(world: World) -> None:
    actor = world.producer()
    client = world.client()
    for _ in range(12):
        data = {"email": actor.username, "password": PASSWORD}
        assert client.post("/login", data=data).status_code == 302
        assert client.post("/logout").status_code == 302


def test_feedback_that_comes_back_to_be_mended_does_not_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # People take longer to fill the form in than this test does.
    monkeypatch.setattr(forms, "LEAST_S", 0)
    _lot, code = world.labelled(world.producer())
    client = world.client()

    def give(text: str) -> Any:
        page = client.get(f"/{code}/feedback").text
        shown = re.search(r'name="shown"[^>]*value="([^"]+)"', page)
        assert shown
        return client.post(f"/{code}/feedback", data={"kind": "praise", "text": text, "shown": shown[1]})

    for _ in range(8):
        assert give("").status_code == 422
    for _ in range(6):
        assert give("好吃").status_code == 302
    refused = give("好吃")
    assert refused.status_code == 429
    # The hour begins with the first that is taken.
    said = re.search(r"请过 (\d+) 分钟再试", refused.text)
    assert said
    assert int(said[1]) in {58, 59, 60}
