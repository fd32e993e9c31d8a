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


BY_MENU = {
    "producer": [
        "/findings/to-do", "/batches", "/field/", "/labels", "/shipments", "/stock", "/certificates", "/feedback",
        "/scans", "/products", "/sites", "/households", "/recall-tasks", "/recalls", "/account",
    ],
    "regulator": [
        "/desk", "/batches", "/findings", "/recalls/scope", "/shipments", "/feedback", "/stock/trace", "/certificates",
        "/scans", "/reference/limits", "/recalls", "/account",
    ],
    "administrator": [
        "/desk", "/batches", "/findings", "/recalls/scope", "/shipments", "/feedback", "/stock/trace", "/certificates",
        "/scans", "/reference/limits", "/recalls", "/account", "/admin", "/admin/kinds",
    ],
    "laboratory": ["/laboratory", "/recalls", "/account"],
    "buyer": ["/shipments", "/recall-tasks", "/recalls", "/account"],
}  # fmt: skip
"""The rooms that each role needs a way to."""
LED_TO = {"/recalls/check", "/slips", "/receive"}
"""What a form leads to, a letter, and the code on a delivery note."""


@pytest.mark.parametrize("role", list(BY_MENU))
def test_each_role_has_a_start_page_and_a_way_to_each_of_its_rooms(world: World, role: str) -> None:
    client = world.client(getattr(world, role)())
    start = client.get("/start", follow_redirects=True)
    assert start.status_code == 200
    menu = _menu(start.text)
    assert 'aria-current="page"' in menu
    ways = {way.partition("?")[0] for way in re.findall(r'href="([^"]+)"', menu)}
    assert set(BY_MENU[role]) <= ways


@pytest.mark.parametrize("role", list(BY_MENU))
def test_every_page_of_a_role_is_at_most_three_taps_away(world: World, role: str) -> None:
    actor = getattr(world, role)()
    if role == "producer":
        world.member(actor, "张三")
    client = world.client(actor)
    start = client.get("/start", follow_redirects=True).request.path
    taps, at_hand = {start: 0}, [start]
    while at_hand:
        page = at_hand.pop(0)
        if taps[page] == 3:
            continue
        text = client.get(page).text
        folded = re.search(r'<details class="more">.*?</details>', text, re.DOTALL)
        behind = re.findall(r'href="([^"]+)"', folded[0]) if folded else []
        for way in re.findall(r'href="(/[^"#]*)"', text):
            path = way.partition("?")[0]
            cost = taps[page] + (2 if way in behind else 1)
            if cost <= 3 and cost < taps.get(path, 4) and not path.startswith(("/static", "/api")):
                taps[path] = cost
                at_hand.append(path)
    own = set()
    for rule in world.app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and not rule.arguments and not rule.rule.startswith(("/api", "/static", "/.")):
            answer = client.get(rule.rule)
            if answer.status_code == 200 and answer.mimetype == "text/html" and "<main" in answer.text:
                own.add(rule.rule)
    refused = {"/inputs/new"} if role == "regulator" else set()  # a county may look, and not send
    assert own - set(taps) <= LED_TO | refused
