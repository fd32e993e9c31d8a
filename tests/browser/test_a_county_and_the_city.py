"""A county's administrator tries what is the city's or another county's: all of it is refused, in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import DESK, PASSWORD, Platform, sign_in
from tests.conftest import app_for, settings_for
from tests.world import World
from trace_app.accounts import service as accounts
from trace_app.accounts.models import OrganisationKind, RoleName, User
from trace_app.db.session import transaction
from trace_app.extensions import db

POST = """async ([path, fields]) => {
  const body = new FormData();
  body.set("csrf_token", document.querySelector("[name=csrf_token]").value);
  for (const [name, value] of Object.entries(fields)) {
    body.set(name, name === "file" ? new File([value], "x.csv", { type: "text/csv" }) : value);
  }
  const answer = await fetch(path, { method: "POST", body });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return [answer.status, page.querySelector("main").textContent];
}"""
"""What a form of the platform's would send, from a page that is open."""
NOT_THERE = "没有找到，或者您无权查看"
CITYS = "全市共用的目录由市级维护"
PERSON = {"username": "intruder", "full_name": "某人", "email": "i@example.org", "role": "administrator"}
INPUT = {
    "type": "pesticide",
    "name": "某药",
    "registration_number": "PD20990009",
    "ingredients": "苯醚甲环唑 10%",
    "interval_days": "14",
}


@pytest.fixture
def elsewhere(platform: Platform) -> dict[str, str]:
    """The city's people, a recall of another county, and the county's administrator who is to sign in."""
    folder, url = Path(platform.environment["DATA_DIR"]), platform.environment["DATABASE_URL"]
    app = app_for(settings_for(folder, database_url=url, secret_key=None))
    world = World(app)
    with app.app_context():
        with transaction():
            county = accounts.create_organisation(
                None,
                kind=OrganisationKind.REGULATOR,
                name="罗平县市场监督管理局",
                division_code="530324102",
                jurisdiction_code="530324",
            )
            accounts.create_user(
                None,
                county,
                RoleName.ADMINISTRATOR,
                username="county",
                full_name="county",
                email="county@example.org",
                password=PASSWORD,
            )
        above = db.session.scalars(db.select(User).filter_by(username="above")).one()
        found = {"organisation": str(above.organisation_id), "user": str(above.id)}
    maker = world.producer("530381103")
    lot = world.released(maker, division="530381103")
    found |= {"lot": str(lot), "recall": world.recall(world.regulator("530381"), lot)}
    with app.app_context():
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()
    return found


def _opened(page: Page, path: str) -> str:
    answer = page.goto(path)
    assert answer is not None
    assert answer.status in {403, 404}, path
    return page.get_by_role("main").inner_text()


def test_all_of_it_is_refused_in_words(chromium: Browser, platform: Platform, elsewhere: dict[str, str]) -> None:
    page = sign_in(chromium, platform, "county", DESK)
    organisation, user = f"/admin/organisations/{elsewhere['organisation']}", f"/admin/users/{elsewhere['user']}"
    case, lot = f"/recalls/{elsewhere['recall']}/manage", f"/batches/{elsewhere['lot']}"

    page.goto("/admin")
    assert "曲靖市农业农村局" not in page.get_by_role("main").inner_text()
    for path in (organisation, organisation + "/edit", organisation + "/users/new", user, lot):
        assert NOT_THERE in _opened(page, path), path
    # Of a case elsewhere it reads the public notice, and changes nothing.
    page.goto(case)
    assert page.url.endswith(case.removesuffix("/manage"))
    assert CITYS in _opened(page, "/admin/kinds")

    page.goto("/reference/limits")
    assert page.get_by_label("文件").count() == 0
    page.goto("/inputs")
    assert page.get_by_role("link", name="登记投入品").count() == 0
    refused = [
        (user + "/reset", {}, NOT_THERE),
        (user + "/active", {"active": ""}, NOT_THERE),
        (organisation + "/edit", {"name": "别的名字"}, NOT_THERE),
        (organisation + "/users/new", PERSON, NOT_THERE),
        (case.replace("manage", "scope"), {"reason": "多几批"}, NOT_THERE),
        ("/admin/kinds", {"file": "code = 'x'"}, CITYS),
        ("/reference/limits", {"file": "kind_code,analyte\n"}, CITYS),
        ("/reference/prohibited", {"file": "input_type,name\n"}, CITYS),
        ("/inputs/new", INPUT, CITYS),
    ]
    for path, fields, words in refused:
        status, text = page.evaluate(POST, [path, fields])
        assert status in {403, 404, 422}, path
        assert words in text, (path, text)

    # The city's officer signs in as before.
    assert sign_in(chromium, platform, "above", DESK).url.endswith("/desk")
