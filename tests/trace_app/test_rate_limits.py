"""What may be tried how often from one address: the table of limits, each up to its edge."""

from __future__ import annotations

from typing import Any

import pytest

from tests.world import World

LIMITS: list[tuple[str, str, int, str]] = [
    ("POST", "/login", 20, "nobody"),
    ("POST", "/find", 20, "nobody"),
    ("GET", "/recalls/check", 60, "nobody"),
    ("GET", "/0000000000000", 60, "nobody"),
    ("POST", "/0000000000000/pin", 30, "nobody"),
    ("POST", "/0000000000000/feedback", 6, "nobody"),
    ("POST", "/receive/0000000000000", 30, "nobody"),
    ("POST", "/recall-tasks/none/acknowledge", 30, "nobody"),
    ("POST", "/recall-tasks/none/report", 30, "nobody"),
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
