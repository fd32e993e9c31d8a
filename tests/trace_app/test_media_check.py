"""The check of all photos and documents, at the terminal."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pytest
from flask import Flask

from media_store import LocalStore, StoreUnavailable
from tests.world import World, pdf, photo
from trace_app.extensions import db
from trace_app.media import check
from trace_app.media.models import Document, Photo

pytestmark = pytest.mark.either_database


class Kept(NamedTuple):
    """Where the files of a product's three photos and of a certificate lie."""

    photos: list[Path]
    thumbnails: list[Path]
    middles: list[Path]
    document: Path


@pytest.fixture
def kept(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setitem(world.app.extensions, "media_store", LocalStore(tmp_path))
    actor = world.producer()
    client, product_id = world.client(actor), world.product(actor)
    files = [(io.BytesIO(photo(colour, (1200, 900))), f"{colour}.jpg") for colour in ("red", "green", "blue")]
    assert client.post(f"/products/{product_id}/photos", data={"photos": files}).status_code == 302
    values = {
        "type": "gi",
        "number": "AGI-1",
        "issuer": "农业农村部",
        "valid_from": "2025-01-01",
        "valid_until": "2099-01-01",
        "product_id": "",
        "pdf": (io.BytesIO(pdf()), "证书.pdf"),
    }
    assert client.post("/certificates", data=values).status_code == 302
    with world.app.app_context():
        photos = list(db.session.scalars(db.select(Photo).order_by(Photo.id)))
        document = db.session.scalars(db.select(Document)).one()
        yield Kept(
            [tmp_path / row.key for row in photos],
            [tmp_path / row.thumbnail_key for row in photos],
            [tmp_path / row.middle_key for row in photos],
            tmp_path / document.key,
        )


def _check(app: Flask) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["media", "check"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def _key(path: Path) -> str:
    return "/".join(path.parts[-3:])


def test_all_that_is_as_it_was_is_counted(world: World, kept: Kept) -> None:
    assert _check(world.app) == (0, "10 files: 0 missing, 0 altered.\n")


def test_what_is_missing_is_named(world: World, kept: Kept) -> None:
    gone = (kept.photos[1], kept.thumbnails[2], kept.middles[0], kept.document)
    for path in gone:
        path.unlink()
    status, output = _check(world.app)
    assert status == 1
    assert sorted(output.splitlines()) == sorted(
        [
            "10 files: 4 missing, 0 altered.",
            *(f"missing  {_key(path)}" for path in gone),
        ]
    )


def test_what_was_altered_is_named_even_where_its_length_is_the_same(world: World, kept: Kept) -> None:
    for path in (kept.photos[0], kept.document):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    kept.thumbnails[1].write_bytes(b"")
    status, output = _check(world.app)
    assert status == 1
    assert sorted(output.splitlines()) == sorted(
        [
            "10 files: 0 missing, 3 altered.",
            *(f"altered  {_key(path)}" for path in (kept.photos[0], kept.thumbnails[1], kept.document)),
        ]
    )


def test_all_rows_are_read_however_many_are_read_at_a_time(
    world: World, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "ROWS", 2)
    assert _check(world.app) == (0, "10 files: 0 missing, 0 altered.\n")


def test_a_store_that_does_not_answer_makes_nothing_missing(
    world: World, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(LocalStore):
        def open(self, key: str) -> BinaryIO:
            raise StoreUnavailable("connection refused")

    monkeypatch.setitem(world.app.extensions, "media_store", Silent(kept.document))
    status, output = _check(world.app)
    assert status == 1
    assert "does not answer" in output
    assert "missing" not in output
