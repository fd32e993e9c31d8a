"""The traceability platform."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages

from flask import Flask
from flask_openapi3.openapi import OpenAPI
from werkzeug.middleware.proxy_fix import ProxyFix

from config import Settings, SettingsFault, read_settings
from trace_app import (
    body_limits,
    cli,
    conflicts,
    error_pages,
    language,
    logs,
    plain_text,
    security_headers,
    sent_once,
    templating,
    whole_numbers,
)
from trace_app.accounts import sign_in, unsent
from trace_app.accounts.access import guard
from trace_app.accounts.factors import freshness
from trace_app.api import document
from trace_app.api.bearer import read_bearer
from trace_app.db.base import is_of_the_models
from trace_app.extensions import babel, compress, csrf, db, jobs, limiter, migrate
from trace_app.jobs import patience
from trace_app.malformed import refuse_malformed
from trace_app.media.service import open_store
from trace_app.monitoring import service as monitoring
from trace_app.scanning.layer import ScanLayer
from trace_app.scanning.lease import StopLease
from trace_app.scanning.log import ScanLog
from trace_app.scanning.pages import PageStore
from trace_app.scanning.reading import LabelReader
from trace_app.scanning.regions import BadRegionTable

COMPRESSIBLE = [
    "text/html",
    "text/css",
    "text/javascript",
    "text/csv",
    "application/json",
    "application/problem+json",
    "application/yaml",
    "image/svg+xml",
]


COUNT_S = 1.0
"""Seconds that Redis may take to count a request. Then they are counted in memory, and Redis is asked again after 1, 2,
4 seconds and so on."""
CONNECTIONS = 20
"""Connections to the database that a process keeps, and as many more when all are in use: each thread has one for
what scans read and one for what Flask does.
"""


def create_app(settings: Settings | None = None, **config: object) -> Flask:
    """The WSGI application.

    :param settings: from the environment where not given.
    :param config: Flask's own configuration, over all else.
    :raises SettingsFault: where a setting is missing or wrong.
    """
    settings = settings or read_settings()
    logs.configure(settings)
    app = OpenAPI(__name__, **document.OPTIONS)
    secure = settings.public_url.scheme == "https"
    app.config.update(
        SETTINGS=settings,
        SECRET_KEY=settings.signing_key,
        SQLALCHEMY_DATABASE_URI=settings.sqlalchemy_url,
        SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True, "pool_size": CONNECTIONS, "max_overflow": CONNECTIONS},
        MAX_FORM_MEMORY_SIZE=2 * 1024 * 1024,
        SEND_FILE_MAX_AGE_DEFAULT=31_536_000,
        SESSION_COOKIE_NAME="session",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_SAMESITE="Lax",
        REMEMBER_COOKIE_SECURE=secure,
        REMEMBER_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,
        RATELIMIT_ENABLED=settings.rate_limits,
        RATELIMIT_STORAGE_URI=_counts_at(settings.redis_url),
        RATELIMIT_STORAGE_OPTIONS=patience(COUNT_S) if settings.redis_url else {},
        COMPRESS_MIMETYPES=COMPRESSIBLE,
        COMPRESS_ALGORITHM=["br", "gzip"],
        **sign_in.OPTIONS,
    )
    app.config.update(config)
    # What is done to a response goes from the last named here to the first.
    security_headers.init_app(app)
    db.init_app(app)
    migrate.init_app(app, db, directory=settings.migrations, include_name=is_of_the_models)
    babel.init_app(app, default_locale="zh_CN", locale_selector=language.choose)
    # In this order: who may not come in is refused before the body is read, which is what the look for a token does.
    # Of a form alone, which the browser of a page of ours sends, a little is read to give it back.
    app.before_request(read_bearer)
    app.before_request(unsent.keep_of_signed_out)
    app.before_request(guard)
    body_limits.init_app(app)
    csrf.init_app(app)
    unsent.init_app(app)
    sent_once.init_app(app)
    freshness.init_app(app)
    limiter.init_app(app)
    compress.init_app(app)
    templating.init_app(app)
    language.init_app(app)
    error_pages.init_app(app)
    conflicts.init_app(app)
    app.extensions["media_store"] = open_store(settings)
    whole_numbers.init_app(app)
    plain_text.init_app(app)
    _register_views(app)
    sign_in.init_app(app)
    # Flask-Security has put its own JSON provider in place by now.
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    jobs.init_app(app, settings)
    monitoring.init_app(app)
    cli.init_app(app)
    logs.init_app(app)
    _answer_scans(app, settings)
    return app


def _answer_scans(app: Flask, settings: Settings) -> None:
    """Put the way of a scan in front of Flask, and in front of it whose proxies are believed."""
    flask = refuse_malformed(app.wsgi_app, settings.hosts)
    try:
        scans = app.extensions["scan_log"] = ScanLog(app, settings)
    except BadRegionTable as error:
        raise SettingsFault([f"IP_REGIONS: {error}"]) from error
    with app.app_context():
        reader, lease = LabelReader(db.engine), StopLease(db.engine, settings.scan_lease_ms)
        app.extensions["label_reader"] = reader
    app.wsgi_app = ScanLayer(app, flask, reader, lease, PageStore(), scans)  # type: ignore[method-assign]
    if hops := settings.proxy_hops:
        # What a proxy says of the host is never believed: the client may have said it.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]


def _counts_at(redis_url: str) -> str:
    """Where rate limits are counted. The counting library has a name of its own for a Redis behind a socket file."""
    return (
        redis_url.replace("unix://", "redis+unix://", 1)
        if redis_url.startswith("unix://")
        else redis_url or "memory://"
    )


def _register_views(app: OpenAPI) -> None:
    """Register the blueprint of every room that has one: ``views`` of its module ``views``, or ``api``."""
    for module in sorted(found.name for found in walk_packages(__path__, f"{__name__}.")):
        if module.rpartition(".")[2] == "views":
            views = import_module(module)
            if hasattr(views, "api"):
                app.register_api(views.api)
            else:
                app.register_blueprint(views.views)
    app.register_blueprint(document.views)
