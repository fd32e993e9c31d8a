"""Every absolute address is built from PUBLIC_URL: what a request says of the host it asked for is in no page and
paper.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from qr.reading import open_picture, read_symbols
from tests.conftest import app_for, set_up, settings_for
from tests.world import World
from trace_app.extensions import db

HOME = "https://t.qj.cn"
EVIL = {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """Behind one proxy, which passes on what clients say."""
    made = app_for(settings_for(tmp_path, public_url=HOME, proxy_hops=1, trusted_hosts=["inside.example"]))
    set_up(made)
    yield made
    with made.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def world(app: Flask) -> World:
    return World(app)


def _symbols_of(paper: bytes, folder: Path) -> list[str]:
    """The texts of the QR codes on a PDF, as poppler draws it."""
    (folder / "paper.pdf").write_bytes(paper)
    subprocess.run(["pdftoppm", "-r", "100", "-gray", "-png", "paper.pdf", "page"], cwd=folder, check=True)
    return [text for page in sorted(folder.glob("page*.png")) for text in read_symbols(open_picture(page.read_bytes()))]


def _public_paths(world: World) -> list[str]:
    producer, officer = world.producer(), world.regulator()
    product = world.product(producer, gtin="06901234567892")
    batch_id, code = world.labelled(producer, product_id=product, lot_number="YR-1")
    stopped, red = world.labelled(producer)
    number = world.recall(officer, stopped)
    assert batch_id
    return [
        "/",
        f"/{code}",
        f"/{code}?lang=en",
        f"/{red}",
        f"/{code}/feedback",
        "/recalls",
        f"/recalls/{number}",
        f"/recalls/{number}/1.pdf",
        f"/recalls/{number}/poster.pdf",
        "/recalls.atom",
        "/recalls.json",
        "/recalls/check?q=YR-1",
        "/01/06901234567892/10/YR-1?linkType=all",
        "/01/06901234567892",
        "/p/06901234567892",
        "/l/06901234567892/YR-1",
        "/.well-known/gs1resolver",
        "/api/v1/openapi.json",
        f"/api/v1/trace/{code}",
        "/robots.txt",
        "/login",
    ]


def test_a_foreign_host_is_in_no_public_page_and_no_paper(world: World, tmp_path: Path) -> None:
    client = world.client()
    for path in _public_paths(world):
        for accepted in ("text/html", "application/ld+json", "application/linkset+json"):
            answer = client.get(path, headers=EVIL | {"Accept": accepted, "Host": "t.qj.cn"})
            assert answer.status_code in {200, 307}, (path, answer.status_code)
            assert b"evil" not in answer.data, path
            assert not any("evil" in value for _name, value in answer.headers), path
            if answer.mimetype == "application/pdf":
                assert _symbols_of(answer.data, tmp_path) == [f"{HOME}{path.rpartition('/')[0]}"], path


def test_only_our_hosts_are_answered(world: World) -> None:
    client = world.client()
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/", headers={"Host": "t.qj.cn"}).status_code == 200
    assert client.get("/", headers={"Host": "inside.example:8443"}).status_code == 200
