"""The menu of each role."""

import re

import pytest

from tests.world import World
from trace_app.navigation import MOST_ENTRIES

pytestmark = pytest.mark.either_database


def _menu(page: str) -> str:
    return page[page.index("<nav") : page.index("</nav>")]


@pytest.mark.parametrize("role", ["producer", "regulator", "administrator", "laboratory", "buyer"])
def test_a_menu_is_short_and_each_of_its_ways_opens_a_page_on_which_it_is_marked(world: World, role: str) -> None:
    client = world.client(getattr(world, role)())
    menu = _menu(client.get("/account").text)
    shown = re.sub(r"<details.*?</details>", "<a more>", menu, flags=re.DOTALL)
    assert 2 < shown.count("<a ") <= MOST_ENTRIES
    ways = re.findall(r'href="([^"]+)"', menu)
    assert len(ways) == len(set(ways))
    for way in ways:
        answer = client.get(way)
        assert answer.status_code == 200, way
        assert re.findall(r'<a href="([^"]+)"\s+aria-current', _menu(answer.text)) == [way]
