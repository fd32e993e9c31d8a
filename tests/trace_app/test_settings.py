"""What is wrong with the settings is said in lines, and two may set up at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from config import SettingsFault
from tests.conftest import app_for, settings_for
from tests.served import ROOT, database
from trace_app import create_app
from trace_app.server import end_with_parent

SECRET = "a-secret-that-nobody-may-read-in-a-log-4711"
FLASK = [sys.executable, "-m", "flask", "--app", "wsgi"]


def _environment(folder: Path, **values: str) -> dict[str, str]:
    return dict(os.environ) | {"DATA_DIR": str(folder), "LOG_FORMAT": "console"} | values


def _run(folder: Path, *arguments: str, **values: str) -> tuple[int, str]:
    done = subprocess.run(
        [*FLASK, *arguments],
        cwd=ROOT,
        env=_environment(folder, **values),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("command", ["setup", "serve", "jobs", "doctor"])
def test_what_production_lacks_is_said_in_lines_by_every_command(tmp_path: Path, command: str) -> None:
    status, output = _run(tmp_path, command, ENVIRONMENT="production", PUBLIC_URL="http://t.example.cn")
    assert status == 1
    assert "Traceback" not in output
    lines = [line.strip() for line in output.splitlines()]
    assert lines[0] == "The settings are not right:"
    assert [line.split()[0] for line in lines[1:]] == ["SECRET_KEY", "PUBLIC_URL", "DATABASE_URL", "REDIS_URL"]


WRONG = [
    ({"ENVIRONMENT": "prod"}, "ENVIRONMENT: input should be 'embedded' or 'production'"),
    ({"DATABASE_URL": f"mysql://u:{SECRET}@db/trace"}, "DATABASE_URL: must be postgresql://"),
    ({"DATABASE_URL": f"postgresql://u:{SECRET}@db:port/trace"}, "DATABASE_URL: must be postgresql://"),
    ({"DATABASE_URL": f"postgresql://u:{SECRET}@db"}, "DATABASE_URL: must be postgresql://"),
    ({"REDIS_URL": f"http://:{SECRET}@cache"}, "REDIS_URL: must begin with redis://"),
    ({"BIND": "8000"}, "BIND: must be an address and a port"),
    ({"BIND": "127.0.0.1:http"}, "BIND: must be an address and a port"),
    ({"PUBLIC_URL": "t.example.cn"}, "PUBLIC_URL: input should be a valid URL"),
    ({"PUBLIC_URL": "https://t.example.cn/foo?x=1"}, "PUBLIC_URL: must have no ? and no #"),
    ({"BACKUP_PASSPHRASE": "short"}, "BACKUP_PASSPHRASE: must have 12 characters or more"),
    ({"WEB_WORKERS": "many"}, "WEB_WORKERS: input should be a valid integer"),
    ({"TRUSTED_HOSTS": "t.example.cn"}, "TRUSTED_HOSTS: must be a JSON list"),
    ({"IP_REGIONS": "/nowhere/regions.csv"}, "IP_REGIONS: /nowhere/regions.csv is not there"),
    ({"MAX_UPLOAD_MB": "0", "SECRET_KEY": SECRET}, "MAX_UPLOAD_MB: input should be greater than or equal to 1"),
]


@pytest.mark.parametrize(
    ("values", "line"), WRONG, ids=[f"{next(iter(each))}-{n}" for n, (each, _) in enumerate(WRONG)]
)
def test_a_wrong_setting_is_a_line_without_its_value(
    tmp_path: Path, values: dict[str, str], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsFault) as fault:
        create_app()
    assert len(fault.value.lines) == 1
    assert fault.value.lines[0].startswith(line)
    assert SECRET not in str(fault.value)


def test_a_folder_or_table_that_can_not_be_used_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    status, output = _run(tmp_path / "file" / "data", "setup")
    assert status == 1
    assert "DATA_DIR:" in output
    (tmp_path / "regions.csv").write_text("1.2.3.4,here\n")
    status, table = _run(tmp_path / "data", "setup", IP_REGIONS=str(tmp_path / "regions.csv"))
    assert status == 1
    assert "IP_REGIONS:" in table
    assert "line 1" in table
    assert "Traceback" not in output + table


@pytest.mark.parametrize(
    "command", ["setup", "jobs", "tokens create x y", "organisations list", "media check", "users reset x"]
)
def test_a_database_that_is_away_is_a_line(tmp_path: Path, command: str) -> None:
    app = app_for(settings_for(tmp_path, database_url=f"postgresql://nobody:{SECRET}@127.0.0.1:1/trace"))
    result = app.test_cli_runner().invoke(args=command.split())
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 1
    assert "Error: The database does not answer" in result.output
    assert SECRET not in result.output


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_may_set_up_an_empty_place_at_once(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = database(request.getfixturevalue("postgresql_url"), "two_at_once") if kind == "postgresql" else ""
    environment = _environment(tmp_path, DATABASE_URL=url)
    both = [
        subprocess.Popen(
            [*FLASK, "setup"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=end_with_parent,
        )
        for _ in range(3)
    ]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0, 0], outputs
    assert "Traceback" not in "".join(outputs)
    status, output = _run(tmp_path, "keys", "show", DATABASE_URL=url)
    assert status == 0
    assert len(output.splitlines()) == 2
    engine = sa.create_engine(
        url.replace("postgresql://", "postgresql+psycopg://") or f"sqlite:///{tmp_path}/trace.sqlite"
    )
    with engine.connect() as connection:
        kinds, keys = (
            connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar()
            for table in ("product_kinds", "label_keys")
        )
    engine.dispose()
    assert (kinds, keys) == (5, 1)
