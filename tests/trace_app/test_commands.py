import secrets
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pydantic import ValidationError

from tests.conftest import settings_for
from tests.trace_app.test_catalogue import SIXTH
from tests.trace_app.test_slips import OWN, own_password, slip_at
from tests.world import World
from trace_app.catalogue.kinds import BUILT_IN

CODE = "91350100M000100Y43"


def _run(app: Flask, *arguments: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_an_administrator_makes_organisation_user_and_token_at_the_terminal(world: World) -> None:
    app = world.app
    status, output = _run(
        app, "organisations", "create", "producer", "某合作社", "--division", "530324102", "--credit-code", CODE
    )
    assert status == 0, output
    number = output.split(":")[0]
    assert "某合作社" in _run(app, "organisations", "list")[1]
    status, output = _run(app, "users", "create", number, "zhang", "--email", "z@example.org", "--full-name", "张三")
    client = own_password(world, slip_at(output))
    assert client.post("/login", data={"email": "zhang", "password": OWN}).status_code == 302
    token = _run(app, "tokens", "create", "zhang", "仓库电脑")[1].strip()
    assert world.client().get("/api/v1/batches", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    status, output = _run(app, "users", "reset", "zhang")
    assert status == 0
    assert client.get("/account").status_code == 302
    own_password(world, slip_at(output), "another long one")
    assert world.client().post("/login", data={"email": "zhang", "password": "another long one"}).status_code == 302
    assert _run(app, "users", "deactivate", "zhang")[0] == 0
    assert world.client().post("/login", data={"email": "zhang", "password": "another long one"}).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["organisations", "create", "producer", "甲", "--division", "530324102", "--credit-code", "123"],
            "统一社会信用代码不对",
        ),
        (["organisations", "create", "regulator", "乙", "--division", "530324102"], "请选择监管辖区"),
        (["users", "create", "999", "z", "--email", "z@example.org", "--full-name", "张"], "没有找到"),
        (["users", "reset", "nobody"], "没有找到"),
        (["tokens", "create", "nobody", "x"], "没有找到"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(world: World, arguments: list[str], message: str) -> None:
    status, output = _run(world.app, *arguments)
    assert status == 1
    assert message in output
    assert "Traceback" not in output


def test_a_kind_file_is_loaded_at_the_terminal(world: World, tmp_path: Path) -> None:
    text = (BUILT_IN / "ginger.toml").read_text("utf-8")
    (tmp_path / "good.toml").write_text(text, "utf-8")
    (tmp_path / "bad.toml").write_text(SIXTH.replace("units", "unitz"), "utf-8")
    assert _run(world.app, "kinds", "load", str(tmp_path / "good.toml"))[1].startswith("ginger: 罗平小黄姜")
    status, output = _run(world.app, "kinds", "load", str(tmp_path / "bad.toml"))
    assert status == 1
    assert "品类文件有误" in output


def test_setting_up_again_changes_nothing(world: World) -> None:
    batch_id = world.released(world.producer())
    before = world.version(batch_id)
    key = world.app.config["SETTINGS"].label_keys.read_bytes()
    assert _run(world.app, "setup")[0] == 0
    assert world.app.config["SETTINGS"].label_keys.read_bytes() == key
    assert world.version(batch_id) == before


class TestSettings:
    def test_production_refuses_what_is_only_good_for_trying(self, tmp_path: Path) -> None:
        good: dict[str, Any] = {
            "environment": "production",
            "secret_key": secrets.token_hex(16),
            "public_url": "https://t.qj.cn",
            "database_url": "postgresql://u:p@db/trace",
            "redis_url": "redis://cache",
            "rate_limits": True,
        }
        assert settings_for(tmp_path, **good).code_prefix == "HTTPS://T.QJ.CN/"
        small = good | {"database_url": "", "redis_url": "", "sqlite_in_production": True}
        assert settings_for(tmp_path, **small).sqlalchemy_url.startswith("sqlite")
        assert settings_for(tmp_path, **good, proxy_hops=1, bind="10.0.0.5:8000").proxy_hops == 1
        bad: list[tuple[str, dict[str, Any]]] = [
            ("SECRET_KEY", {"secret_key": None}),
            ("SECRET_KEY", {"secret_key": "short"}),
            ("SECRET_KEY", {"secret_key": "x" * 40}),
            ("SECRET_KEY", {"secret_key": "0123456789" * 4}),
            ("SECRET_KEY", {"secret_key": "passwordpasswordpasswordpassword"}),
            ("PUBLIC_URL", {"public_url": "http://t.qj.cn"}),
            ("DATABASE_URL", {"database_url": ""}),
            ("REDIS_URL", {"redis_url": ""}),
            ("RATE_LIMITS", {"rate_limits": False}),
            ("BIND", {"proxy_hops": 1, "bind": "0.0.0.0:8000"}),
            ("BIND", {"proxy_hops": 1, "bind": "[::]:8000"}),
        ]
        for name, change in bad:
            with pytest.raises(ValidationError, match=name):
                settings_for(tmp_path, **good | change)
        assert settings_for(tmp_path, **good | {"redis_url": "", "web_workers": 1}).web_workers == 1

    def test_a_postgresql_address_gets_its_driver(self, tmp_path: Path) -> None:
        for scheme in ("postgres", "postgresql"):
            url = settings_for(tmp_path, database_url=f"{scheme}://u:p@db/trace").sqlalchemy_url
            assert url == "postgresql+psycopg://u:p@db/trace"

    def test_the_signing_key_is_made_once_for_its_owner_alone(self, tmp_path: Path) -> None:
        first = settings_for(tmp_path, secret_key=None).signing_key
        assert settings_for(tmp_path, secret_key=None).signing_key == first
        assert (tmp_path / "keys" / "secret-key").stat().st_mode & 0o077 == 0
