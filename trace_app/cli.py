"""Commands: ``flask setup``, ``serve``, ``jobs``, ``doctor``, ``demo``, ``backup``, ``restore``, ``organisations``,
``users``, ``tokens``, ``kinds``, ``keys``, ``media``.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

import click
import flask_migrate
import structlog
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import OperationalError, ProgrammingError

from media_store import StoreUnavailable
from qr.keys import KeyFileError
from trace_app.accounts import service as accounts
from trace_app.accounts.forms import OrganisationForm, UserForm
from trace_app.accounts.models import OrganisationKind, RoleName, TokenScope
from trace_app.accounts.slips import service as slips
from trace_app.accounts.tokens import USUAL_DAYS
from trace_app.accounts.tokens import create_token as make_token
from trace_app.backup import service as backups
from trace_app.backup.faults import BackupFault
from trace_app.catalogue import service as catalogue
from trace_app.catalogue.kinds import read_kind
from trace_app.db.alone import alone_in_setting_up
from trace_app.db.session import transaction
from trace_app.doctor import State, examine
from trace_app.errors import Problem
from trace_app.extensions import jobs
from trace_app.labels.keys import key_file, register_keys
from trace_app.labels.service import NEARLY_FULL, runs_used, used_share
from trace_app.media.check import FileState, checked_files
from trace_app.reference.service import load_built_in as load_reference_tables
from trace_app.settings import address_of, settings

log = structlog.get_logger()


def init_app(app: Flask) -> None:
    for command in (
        setup,
        demo,
        serve,
        run_jobs,
        doctor,
        make_backup,
        restore_backup,
        organisations,
        users,
        tokens,
        kinds,
        keys,
        media,
    ):
        app.cli.add_command(command)


def plainly(command: Callable[..., None]) -> Callable[..., None]:
    """Tell what is wrong in one line instead of a trace."""

    @wraps(command)
    def run(*args: object, **kwargs: object) -> None:
        try:
            command(*args, **kwargs)
        except Problem as problem:
            raise click.ClickException(problem.message) from problem
        except (KeyFileError, BackupFault) as error:
            raise click.ClickException(str(error)) from error
        except (OperationalError, ProgrammingError) as error:
            log.warning("the database does not answer", exc_info=error)
            raise click.ClickException("The database does not answer, or is not set up: run flask doctor.") from error

    return run


@click.command("setup")
@with_appcontext
@plainly
def setup() -> None:
    """Bring database, reference data and label keys up to date. Safe to run again."""
    with alone_in_setting_up():
        flask_migrate.upgrade()
        with transaction():
            catalogue.load_divisions()
            catalogue.load_built_in_kinds()
            load_reference_tables()
            register_keys()
    click.echo(f"Label keys in {settings().label_keys}: back them up.")


@click.command("demo")
@click.option("--if-empty", is_flag=True, help="Only where there is no organisation yet.")
@click.option("--yes", is_flag=True, help="Don't ask before what is there is deleted.")
@with_appcontext
@plainly
def demo(if_empty: bool, yes: bool) -> None:
    """Rebuild the demonstration: deletes all organisations, batches and labels."""
    from trace_app.demo import build

    if settings().environment == "production":
        raise click.ClickException("The demonstration does not go into a production database.")
    if accounts.organisations():
        if if_empty:
            click.echo(build.overview())
            return
        if not yes:
            click.confirm("Delete all that is in the database and build the demonstration anew?", abort=True)
    build.rebuild()
    click.echo(build.overview())


@click.command("serve")
@with_appcontext
def serve() -> None:
    """Serve the platform: web workers and job consumer, until interrupted."""
    from trace_app.server import serve as run

    try:
        run(settings())
    except OSError as error:
        raise click.ClickException(f"Can't listen on {settings().bind}: {error.strerror}. Set BIND.") from error


@click.command("jobs")
@with_appcontext
@plainly
def run_jobs() -> None:
    """Run background jobs and write down scans until interrupted."""
    jobs.consume(current_app._get_current_object(), settings().job_workers)  # type: ignore[attr-defined]


@click.command("doctor")
@with_appcontext
def doctor() -> None:
    """Look at everything the platform stands on, and say what is right or what to do; it ends with 1 if not all is."""
    states = set()
    for thing, state, text in examine():
        states.add(state)
        click.echo(f"{state.value:<6} {thing:<11} {text}")
    if State.WRONG in states:
        raise click.exceptions.Exit(1)


_KEYS_FOLDER = click.option(
    "--keys",
    "keys_folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the sealed keys lie: best on another disk.  [default: DIR/keys]",
)
_WITHOUT_KEYS = click.option("--without-keys", is_flag=True, help="Leave the keys alone.")


@click.command("backup")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--keep", type=click.IntRange(1), help="How many backups stay in the folder; all if not given.")
@_KEYS_FOLDER
@_WITHOUT_KEYS
@with_appcontext
@plainly
def make_backup(folder: Path, keep: int | None, keys_folder: Path | None, without_keys: bool) -> None:
    """Back up database, photos, documents and label files into a folder, and the keys sealed by a passphrase."""
    passphrase = None if without_keys else _passphrase(twice=True)
    with _outside_told():
        made = backups.make(folder, passphrase=passphrase, keys_folder=keys_folder, keep=keep)
    click.echo(f"{folder / made.name}: {made.rows:,} rows, {made.files:,} files, {made.new_files:,} of them new.")
    for key in made.missing:
        click.echo(f"missing  {key}: the database names it, and the store has it not. Run flask media check.", err=True)


@click.command("restore")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--backup", "name", help="Which one, by its name; the newest if not given.")
@click.option("--check", "only_check", is_flag=True, help="Only read the backup, compare all hashes and open the keys.")
@_KEYS_FOLDER
@_WITHOUT_KEYS
@with_appcontext
@plainly
def restore_backup(
    folder: Path, name: str | None, only_check: bool, keys_folder: Path | None, without_keys: bool
) -> None:
    """Restore a backup into an empty database, with its files and keys. Then run flask setup."""
    with _outside_told():
        if only_check:
            about = backups.check(folder, name)
            if not without_keys:
                backups.check_keys(folder, about.made_at, _passphrase(twice=False), keys_folder)
            opened = "its keys were not looked at" if without_keys else "the passphrase opens its keys"
            click.echo(f"{folder / about.made_at} is whole; {opened}.")
            return
        passphrase = None if without_keys else _passphrase(twice=False)
        restored = backups.restore(folder, name, passphrase=passphrase, keys_folder=keys_folder)
    for note in restored.notes:
        click.echo(note, err=True)
    click.echo(f"Restored {restored.name}: {restored.rows:,} rows, {restored.files:,} files, all as in the backup.")
    click.echo("Now run flask setup, and start the servers.")


def _passphrase(*, twice: bool) -> str:
    given = settings().backup_passphrase
    if given is not None:
        return given.get_secret_value()
    if not sys.stdin.isatty():
        raise BackupFault("Set BACKUP_PASSPHRASE: it seals the keys. --without-keys leaves them out.")
    return str(click.prompt("Passphrase of the keys", hide_input=True, confirmation_prompt=twice))


@contextmanager
def _outside_told() -> Iterator[None]:
    """Tell in one line what disks and stores refuse."""
    try:
        yield
    except StoreUnavailable as error:
        raise click.ClickException("The media store does not answer. Try again once it does.") from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'The disk'}: {error.strerror}.") from error


organisations = AppGroup("organisations", help="Producers, regulators, laboratories and buyers.")
users = AppGroup("users", help="People who sign in.")
tokens = AppGroup("tokens", help="Bearer tokens for the API.")
kinds = AppGroup("kinds", help="Product kinds.")
keys = AppGroup("keys", help="The keys of label codes.")
media = AppGroup("media", help="Photos, documents and clips.")


@organisations.command("create")
@click.argument("kind", type=click.Choice([kind.value for kind in OrganisationKind]))
@click.argument("name")
@click.option("--division", "division_code", required=True, help="Division code of its seat, such as 530324.")
@click.option("--credit-code", help="Unified social credit code; a producer needs one.")
@click.option("--jurisdiction", "jurisdiction_code", help="Division that a regulator watches over.")
@click.option("--name-en", default="")
@plainly
def create_organisation(kind: str, name: str, **options: str) -> None:
    """Register an organisation."""
    with transaction():
        form = OrganisationForm.parse({"kind": kind, "name": name, **options})
        organisation = accounts.create_organisation(None, **form.facts)
    click.echo(f"{organisation.id}: {organisation.name}")


@organisations.command("list")
@plainly
def list_organisations() -> None:
    """All organisations with their numbers."""
    for organisation in accounts.organisations():
        click.echo(
            f"{organisation.id:>5}  {organisation.kind.value:<11} {organisation.division_code:<10} {organisation.name}"
        )


@users.command("create")
@click.argument("organisation_id", type=int)
@click.argument("username")
@click.option(
    "--role", type=click.Choice([role.value for role in RoleName]), help="The organisation's first if not given."
)
@click.option("--email", default="")
@click.option("--full-name", required=True)
@plainly
def create_user(organisation_id: int, username: str, role: str | None, **options: str) -> None:
    """Add a user to an organisation, and show the link by which it sets its password."""
    with transaction():
        organisation = accounts.organisation_by_id(organisation_id)
        roles = accounts.ROLES_OF_KIND[organisation.kind]
        form = UserForm.parse({"username": username, "role": role or roles[0].value, **options}, roles=roles)
        facts = form.facts
        handed_out = slips.invite(None, organisation, RoleName(facts.pop("role")), **facts)
        click.echo(f"{handed_out.slip.user.username}  {address_of('slips.use', word=handed_out.word)}")


@users.command("reset")
@click.argument("username")
@plainly
def reset(username: str) -> None:
    """Show a link by which a user sets a new password; the old one and its sessions end."""
    with transaction():
        handed_out = slips.reset(None, accounts.user_by_name(username))
        click.echo(f"{username}  {address_of('slips.use', word=handed_out.word)}")


@users.command("deactivate")
@click.argument("username")
@plainly
def deactivate(username: str) -> None:
    """Let a user sign in no longer."""
    with transaction():
        accounts.set_active(None, accounts.user_by_name(username), False)


@tokens.command("create")
@click.argument("username")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in TokenScope]),
    multiple=True,
    default=(TokenScope.READ.value,),
    show_default=True,
    help="What it is for; may be given several times.",
)
@click.option("--days", type=click.IntRange(1, 365), default=USUAL_DAYS, show_default=True)
@plainly
def create_token(username: str, name: str, scopes: tuple[str, ...], days: int) -> None:
    """Make a bearer token for a user. It is shown this once."""
    with transaction():
        wanted = [TokenScope(scope) for scope in scopes]
        _token, text = make_token(accounts.user_by_name(username), name, wanted, days)
    click.echo(text)


@kinds.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@plainly
def load_kind(file: Path) -> None:
    """Add a product kind from a kind file, or bring it in line with the file."""
    with transaction():
        kind = catalogue.load_kind(read_kind(file.read_text("utf-8")))
    click.echo(f"{kind.code}: {kind.name} / {kind.name_en}")


@keys.command("show")
@plainly
def show_keys() -> None:
    """Fingerprints of the label keys, and how full they are; the keys themselves are never shown."""
    click.echo(str(settings().label_keys))
    fingerprints = key_file().fingerprints()
    for number, fingerprint in fingerprints.items():
        runs = runs_used(number)
        click.echo(f"{number:>3}  {fingerprint}  {runs:,} label runs, {used_share(runs)} %")
    if used_share(runs_used(max(fingerprints))) >= NEARLY_FULL:
        click.echo("The newest key is nearly full: run flask keys rotate, then restart the servers.")


@keys.command("rotate")
@plainly
def rotate_key() -> None:
    """Add a key for new labels; labels of the old ones stay readable. Restart the servers, then back up the file."""
    number = key_file().rotate()
    with transaction():
        load_reference_tables()
        register_keys()
    click.echo(f"Key {number} makes new codes from the next start on. Back up {settings().label_keys} now.")


@media.command("check")
@plainly
def check_media() -> None:
    """Read all photos, documents and clips, and name what is missing or was altered; it ends with 1 if anything is."""
    states: Counter[FileState] = Counter()
    try:
        for key, state in checked_files():
            states[state] += 1
            if state is not FileState.WHOLE:
                click.echo(f"{state.value:<7}  {key}")
    except StoreUnavailable as error:
        raise click.ClickException(f"The media store does not answer, the check is not complete: {error}") from error
    missing, altered = states[FileState.MISSING], states[FileState.ALTERED]
    click.echo(f"{states.total():,} files: {missing:,} missing, {altered:,} altered.")
    if missing or altered:
        raise click.exceptions.Exit(1)
