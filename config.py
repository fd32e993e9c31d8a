"""Every setting, typed, from the environment. The embedded default needs none."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ipaddress
import math
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, HttpUrl, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

LEAST_KEY = 32
"""Characters that the key which signs sessions has at least in production."""
LEAST_PASSPHRASE = 12
"""Characters of what seals the keys in backups."""
LEAST_BITS = 96
"""Bits of entropy that its characters have at least, by how often each occurs."""


def _bits(text: str) -> float:
    counts = Counter(text).values()
    return -sum(count * math.log2(count / len(text)) for count in counts)


class SettingsFault(RuntimeError):
    """Settings that are missing or wrong: a line for each, which begins with the setting's name and says what to do."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(["The settings are not right:", *(f"  {line}" for line in lines)]))
        self.lines = lines


class Settings(BaseSettings):
    """The platform's settings. Each is read from the environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    environment: Literal["embedded", "production"] = "embedded"
    """``production`` refuses to start with a setting that is only good for trying things out."""
    data_dir: Path = Path("var")
    """Where the embedded stack keeps its database, media, jobs and keys."""
    secret_key: SecretStr | None = None
    """Signs sessions. Made and kept in ``data_dir`` where it is not given."""
    factor_key: SecretStr | None = None
    """Encrypts the secrets of second factors. Made and kept in ``data_dir`` where it is not given."""
    identity_key: SecretStr | None = None
    """Encrypts the identity numbers of persons. Made and kept in ``data_dir`` where it is not given."""
    second_factor_required: bool | None = None
    """Whether authorities and administrators must have a second factor; in production where not given."""
    factor_grace_h: int = Field(default=24, ge=0)
    """Hours after the first signing in within which they set one up."""
    label_key_file: Path | None = None
    """The keys of label codes; ``data_dir/keys/label-keys.json`` where not given."""
    public_url: HttpUrl = HttpUrl("http://127.0.0.1:8000")
    """The address that labels carry. Short is better: 16 characters with the scheme leave the best symbol."""
    hsts_subdomains: bool = False
    """Whether browsers are told to ask for all names below that of ``public_url`` by https, too."""
    trusted_hosts: list[str] = []
    """Further hosts that requests may name, as a JSON list; ``.example.org`` stands for all below it. Whatever a
    request names, addresses are made of ``public_url``.
    """
    database_url: str = ""
    """``postgresql://user:password@host/name``, or empty for SQLite in ``data_dir``."""
    web_database_url: str = ""
    """The same database under a role of the web workers' own, which may not change what is only ever added
    (``deploy/postgresql/roles.sql``); empty where they have ``database_url``, as setup, jobs and backups always do."""
    sqlite_in_production: bool = False
    """Whether SQLite, and limits counted by each worker for itself, will do in production: on one small machine."""
    redis_url: str = ""
    """The Redis server for jobs and rate limits; empty for SQLite and memory."""
    s3_bucket: str = ""
    """Media go to this bucket; empty for a folder in ``data_dir``."""
    s3_endpoint_url: str | None = None
    s3_region: str | None = None
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    max_upload_mb: int = Field(default=120, ge=1)
    """Largest request that brings files; several photos may come at once. Without files 64 KB are the most."""
    rate_limits: bool = True
    proxy_hops: int = Field(default=0, ge=0)
    """Reverse proxies in front, whose X-Forwarded-For and -Proto are believed; X-Forwarded-Host never is."""
    smtp_host: str = ""
    """The mail server for messages; without one, no e-mail is sent."""
    smtp_port: int = 587
    smtp_tls: bool = True
    smtp_user: str = ""
    smtp_password: SecretStr | None = None
    mail_from: str = "trace@localhost"
    webhook_private_hosts: list[str] = []
    """Hosts of one's own that webhooks may reach on private addresses and without TLS, as a JSON list."""
    ip_regions: Path | None = None
    """A table of addresses and the regions they lie in, for the scan log (docs/operations.md); none where not given."""
    scan_lease_ms: int = Field(default=100, ge=0, le=1000)
    """How long a worker may answer scans without asking the database; what stops a lot waits that long before it
    commits. 0 asks for each scan."""
    scan_days_kept: int = Field(default=400, ge=7)
    """Days that single scans are kept. The sums by lot and day, and by label, stay."""
    approval_reminder_h: int = Field(default=1, ge=1)
    """Hours after which the other officers of an authority are reminded of a recall of level I that waits for one."""
    approval_raised_h: int = Field(default=4, ge=1)
    """Hours after which the next office up is told that it still waits."""
    backup_passphrase: SecretStr | None = None
    """Seals the keys in backups; ``flask backup`` and ``flask restore`` ask for it where it is not given."""
    pg_bin: Path | None = None
    """The folder of pg_dump and pg_restore, of the server's version or newer; they are looked for on PATH where it is
    not given."""
    metrics_allow: list[str] = ["127.0.0.0/8", "::1/128"]
    """Networks from which ``/metrics`` may be read, as a JSON list; this machine alone where not given."""
    metrics_token: SecretStr | None = None
    """Who brings it (``Authorization: Bearer …``) reads ``/metrics`` from anywhere."""
    camera_allow: list[str] = []
    """Private networks in which cameras may be, as a JSON list such as ["10.20.0.0/16"]; none where not given."""
    camera_quota_mb: int = Field(default=2000, ge=100)
    """Megabytes of pictures that one camera may keep; from 85 % on the oldest go that belong to no lot."""
    log_format: Literal["console", "json"] = "console"
    bind: str = "127.0.0.1:8000"
    web_workers: int = Field(default=2, ge=1)
    job_workers: int = Field(default=1, ge=1)

    @field_validator("database_url", "web_database_url")
    @classmethod
    def _with_driver(cls, url: str) -> str:
        for scheme in ("postgres://", "postgresql://"):
            if url.startswith(scheme):
                url = "postgresql+psycopg://" + url.removeprefix(scheme)
        if url and not _is_address(url, "postgresql+psycopg"):
            raise ValueError("must be postgresql://user:password@host/name, or empty for SQLite")
        return url

    @field_validator("redis_url")
    @classmethod
    def _of_redis(cls, url: str) -> str:
        if url and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://, or be empty")
        return url

    @field_validator("bind")
    @classmethod
    def _with_port(cls, bind: str) -> str:
        host, _, port = bind.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError("must be an address and a port, such as 127.0.0.1:8000")
        return bind

    @field_validator("backup_passphrase")
    @classmethod
    def _long_enough(cls, passphrase: SecretStr | None) -> SecretStr | None:
        if passphrase is not None and len(passphrase.get_secret_value()) < LEAST_PASSPHRASE:
            raise ValueError(f"must have {LEAST_PASSPHRASE} characters or more")
        return passphrase

    @field_validator("public_url")
    @classmethod
    def _without_query(cls, url: HttpUrl) -> HttpUrl:
        if url.query or url.fragment:
            raise ValueError("must have no ? and no #: addresses on labels begin with it, as https://t.example.cn")
        return url

    @field_validator("metrics_allow", "camera_allow")
    @classmethod
    def _networks(cls, names: list[str]) -> list[str]:
        for name in names:
            try:
                ipaddress.ip_network(name)
            except ValueError:
                raise ValueError(f"{name[:50]} is no network, such as 10.0.0.0/8") from None
        return names

    @field_validator("ip_regions", "pg_bin")
    @classmethod
    def _there(cls, path: Path | None) -> Path | None:
        if path is not None and not path.exists():
            raise ValueError(f"{path} is not there")
        return path

    @model_validator(mode="after")
    def _fit_for_production(self) -> Settings:
        if self.environment == "production" and (faults := list(self._faults())):
            raise ValueError("\n".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        """What is only good for trying things out, with what to do."""
        key = self.secret_key.get_secret_value() if self.secret_key else ""
        # A text that is found in itself moved on is one piece over and over.
        if len(key) < LEAST_KEY or _bits(key) < LEAST_BITS or key in (key + key)[1:-1]:
            yield (
                f"SECRET_KEY must have {LEAST_KEY} characters or more that nobody can guess:"
                " python3 -c 'import secrets; print(secrets.token_urlsafe(48))' makes one"
            )
        if self.public_url.scheme != "https":
            yield "PUBLIC_URL must be an https address: it is printed on labels"
        if not self.database_url and not self.sqlite_in_production:
            yield "DATABASE_URL must name a PostgreSQL database; SQLITE_IN_PRODUCTION=true takes SQLite on purpose"
        if not self.redis_url and self.web_workers > 1 and not self.sqlite_in_production:
            yield "REDIS_URL must be set for more than one worker: rate limits are counted there for all of them"
        if not self.rate_limits:
            yield "RATE_LIMITS must be on"
        host = self.bind.rpartition(":")[0].strip("[]")
        if self.proxy_hops and host in {"", "0.0.0.0", "::"}:  # noqa: S104
            yield "BIND must be an address of the proxy's network alone where PROXY_HOPS believes what comes from there"

    @cached_property
    def folder(self) -> Path:
        """``data_dir`` as an absolute path, made where missing."""
        folder = self.data_dir.resolve()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        except OSError as error:
            raise SettingsFault(
                [f"DATA_DIR: {folder} can't be made: {error.strerror}. Name a folder of ours."]
            ) from error
        return folder

    @property
    def sqlalchemy_url(self) -> str:
        return self.database_url or f"sqlite:///{self.folder / 'trace.sqlite'}"

    @property
    def label_keys(self) -> Path:
        return self.label_key_file or self.folder / "keys" / "label-keys.json"

    @property
    def migrations(self) -> str:
        return str(Path(__file__).parent / "migrations")

    @property
    def home(self) -> str:
        """``public_url`` without a slash at its end: what every absolute address begins with."""
        return str(self.public_url).rstrip("/")

    @property
    def code_prefix(self) -> str:
        """What stands before the code in a label's symbol: upper case, for QR's alphanumeric mode."""
        return self.home.upper() + "/"

    @property
    def hosts(self) -> list[str]:
        """The hosts that requests may name: that of ``public_url``, ``trusted_hosts``, and this machine's own."""
        return [self.public_url.host or "", *self.trusted_hosts, "localhost", "127.0.0.1"]

    @cached_property
    def metrics_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return [ipaddress.ip_network(name) for name in self.metrics_allow]

    @cached_property
    def camera_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return [ipaddress.ip_network(name) for name in self.camera_allow]

    @cached_property
    def signing_key(self) -> str:
        if self.secret_key is not None:
            return self.secret_key.get_secret_value()
        return self._kept_key("secret-key")

    @cached_property
    def factor_secret(self) -> str:
        return self.factor_key.get_secret_value() if self.factor_key else self._kept_key("factor-key")

    @cached_property
    def identity_secret(self) -> str:
        return self.identity_key.get_secret_value() if self.identity_key else self._kept_key("identity-key")

    @cached_property
    def factor_cipher_key(self) -> str:
        """The key of second factors as ciphers take it: 32 bytes in URL-safe Base64."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.factor_secret.encode()).digest()).decode()

    @property
    def officers_need_factor(self) -> bool:
        if self.second_factor_required is None:
            return self.environment == "production"
        return self.second_factor_required

    def _kept_key(self, name: str) -> str:
        """A key of this installation, made where it is missing."""
        path = self.folder / "keys" / name
        try:
            path.parent.mkdir(exist_ok=True, mode=0o700)
            if not path.exists():
                _write_once(path, secrets.token_urlsafe(48))
            return path.read_text("ascii")
        except OSError as error:
            told = f"DATA_DIR: {path} can't be read or made: {error.strerror}. It must belong to the user that runs us."
            raise SettingsFault([told]) from error


def _write_once(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all; where another process was first, its stays."""
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def _is_address(url: str, driver: str) -> bool:
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        return False
    return found.drivername == driver and bool(found.database)


def read_settings() -> Settings:
    """The settings of the environment and of ``.env``.

    :raises SettingsFault: never with a value in it, which may be a secret.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsFault([line for fault in error.errors() for line in _told(fault["loc"], fault["msg"])]) from None
    except SettingsError as error:
        # It names the field in quotes, and what it comes from.
        found = re.search(r'field "(\w+)"', str(error))
        name = found[1].upper() if found else "A setting"
        raise SettingsFault([f'{name}: must be a JSON list, such as ["t.example.org"]']) from None


def _told(place: tuple[int | str, ...], message: str) -> list[str]:
    """A fault's lines: what is wrong with several settings together names them itself."""
    message = message.removeprefix("Value error, ")
    if not place:
        return message.splitlines()
    return [f"{str(place[0]).upper()}: {message[:1].lower()}{message[1:]}"]
