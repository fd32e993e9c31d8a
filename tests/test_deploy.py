"""The samples in ``deploy`` agree with the platform: its settings, its commands, its figures."""

from __future__ import annotations

import re
import secrets
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml
from flask import Flask

from config import Settings
from tests.served import ROOT
from trace_app import metrics

DEPLOY = ROOT / "deploy"
SAMPLE = (DEPLOY / "env.sample").read_text("utf-8").splitlines()
SETTING = re.compile(r"#?([A-Z][A-Z0-9_]*)=(.*)")


def test_the_sample_says_every_setting_in_a_sentence() -> None:
    found = []
    for before, line in zip(["", *SAMPLE], SAMPLE, strict=False):
        if setting := SETTING.fullmatch(line):
            found.append(setting[1])
            assert before.startswith("# "), line
            assert before.endswith((".", "one.", "place.")), before
    assert sorted(found) == sorted(name.upper() for name in Settings.model_fields)


def test_the_sample_with_what_is_left_open_filled_in_is_good_for_production(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "PUBLIC_URL": "https://t.qj.cn",
        "BACKUP_PASSPHRASE": secrets.token_urlsafe(16),
        "DATA_DIR": str(tmp_path),
    }
    lines = [
        f"{setting[1]}={given[setting[1]]}" if (setting := SETTING.fullmatch(line)) and setting[1] in given else line
        for line in SAMPLE
    ]
    (tmp_path / ".env").write_text("\n".join(lines))
    filled = Settings()
    assert filled.environment == "production"
    assert filled.home == "https://t.qj.cn"
    # What has a # in front is as it is without it.
    shown = dict(setting.groups() for line in SAMPLE if line.startswith("#") and (setting := SETTING.fullmatch(line)))
    for name in ("MAX_UPLOAD_MB", "SMTP_PORT", "SCAN_LEASE_MS", "SCAN_DAYS_KEPT", "FACTOR_GRACE_H", "MAIL_FROM"):
        assert str(Settings.model_fields[name.lower()].default) == shown[name]
    assert Settings(metrics_allow=yaml.safe_load(shown["METRICS_ALLOW"])).metrics_allow == filled.metrics_allow


def test_services_start_commands_that_there_are(app: Flask) -> None:
    units = sorted((DEPLOY / "systemd").glob("*.service"))
    assert len(units) == 3
    for unit in units:
        read = RawConfigParser(strict=False)
        read.optionxform = str  # type: ignore[assignment,method-assign]
        read.read_string(unit.read_text("utf-8"))
        service = dict(read["Service"])
        program, _app, _wsgi, name, *options = service["ExecStart"].split()
        assert program == "/opt/trace/.venv/bin/flask"
        command = app.cli.commands[name]
        known = {word for parameter in command.params for word in parameter.opts}
        assert {option for option in options if option.startswith("--")} <= known
        assert service["User"] == "trace"
        for wish in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "RestrictSUIDSGID"):
            assert service[wish] == "yes"
        assert service["ProtectSystem"] == "strict"
        assert service["StandardOutput"].startswith("append:/var/log/trace/")


def test_the_proxy_lets_through_what_the_platform_takes() -> None:
    sample = (DEPLOY / "nginx.conf").read_text("utf-8")
    assert f"client_max_body_size {Settings.model_fields['max_upload_mb'].default}m;" in sample
    for path in ("/metrics", "/readyz"):
        assert re.search(rf"location = {path} +{{ return 404; }}", sample)
    said = re.search(r"log_format trace '([^']*)'", sample)
    assert said
    # Neither addresses nor codes.
    assert not {"$remote_addr", "$request", "$request_uri", "$uri", "$args"} & set(said[1].split())


def test_alarms_go_by_figures_that_there_are(app: Flask) -> None:
    metrics.note_dropped_scans(0)
    metrics.note_job("none", "failed", 0, 0)
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    text = client.get("/metrics", environ_overrides={"REMOTE_ADDR": "127.0.0.1"}).text
    figures = set(re.findall(r"^(trace_\w+)(?:\{| )", text, re.M))
    alarms = yaml.safe_load((DEPLOY / "prometheus" / "alarms.yaml").read_text("utf-8"))
    rules = alarms["groups"][0]["rules"]
    assert len(rules) > 10
    for rule in rules:
        asked = set(re.findall(r"\btrace_\w+", rule["expr"]))
        assert asked <= figures, rule["alert"]
        assert rule["annotations"]["summary"].endswith((".", "?"))
    told = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert [rule["alert"] for rule in rules if f"`{rule['alert']}`" not in told] == []


def test_the_image_runs_as_nobody_in_particular_and_the_stack_is_tight() -> None:
    image = (DEPLOY / "Containerfile").read_text("utf-8")
    assert re.search(r"^USER 10001", image, re.M)
    stack = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    web = stack["services"]["web"]
    assert web["read_only"] is True
    assert web["cap_drop"] == ["ALL"]
    address = web["networks"]["inside"]["ipv4_address"]
    assert "ports" not in web
    assert f"{address}:8000/healthz" in web["healthcheck"]["test"][-1]
    assert set(stack["volumes"]) == {"data", "database", "redis"}
