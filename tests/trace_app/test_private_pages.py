"""What a browser may keep of pages that not everyone may see: a phone or an office computer is used by several."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import app_for, let_go_of, set_up, settings_for
from tests.world import World

pytestmark = pytest.mark.either_database


def test_pages_and_files_of_who_is_signed_in_are_kept_by_nobody(world: World) -> None:
    producer = world.producer()
    world.batch(producer)
    client = world.client(producer)
    for path in ("/batches", "/findings", "/shipments", "/batches/nothing", "/scans.csv"):
        assert client.get(path).headers["Cache-Control"] == "no-store", path


def test_a_form_is_kept_for_going_back_until_signing_out(world: World) -> None:
    producer = world.producer()
    world.batch(producer)
    client = world.client(producer)
    for path in ("/batches/new", "/sites/new", "/field/weighings/new", "/account"):
        assert client.get(path).headers["Cache-Control"] == "private, no-cache", path
    out = client.post("/logout")
    assert out.headers["Clear-Site-Data"] == '"cache"'


def test_who_is_not_signed_in_keeps_pages_that_are_asked_for_anew(world: World) -> None:
    assert world.client().get("/login").headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("also", [False, True])
def test_names_below_ours_are_meant_where_a_setting_says_so(tmp_path: Path, also: bool) -> None:
    app = app_for(settings_for(tmp_path, public_url="https://trace.example", hsts_subdomains=also))
    set_up(app)
    told = app.test_client().get("/login", base_url="https://trace.example").headers["Strict-Transport-Security"]
    assert ("includeSubDomains" in told) is also
    let_go_of(app)
