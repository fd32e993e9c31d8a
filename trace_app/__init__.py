"""The traceability platform."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages
from typing import Any

from flask import Flask
from flask_openapi3.openapi import OpenAPI

from config import Settings
from trace_app import cli, downloads, error_pages, language, logs, security_headers, templating
from trace_app.accounts import sign_in
from trace_app.accounts.access import guard
from trace_app.api import document
from trace_app.api.bearer import read_bearer
from trace_app.db.driver import driver_of
from trace_app.db.engines import binds, look_before_use
from trace_app.db.leases import StopLease
from trace_app.db.partitions import is_ours
from trace_app.extensions import babel, compress, csrf, db, jobs, limiter, migrate
from trace_app.malformed import refuse_malformed
from trace_app.media.service import open_store
from trace_app.public.kept_pages import TracePages
from trace_app.public.label_states import reader_for
from trace_app.public.scan_layer import ScanLayer
from trace_app.scans.log import ScanLog

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


def create_app(settings: Settings | None = None, **config: Any) -> Flask:
    """The WSGI application.

    :param settings: from the environment where not given.
    :param config: Flask's own configuration, over all else.
    """
    settings = settings or Settings()
    logs.configure(settings)
    app: Flask = OpenAPI(__name__, **document.OPTIONS)
    secure = settings.public_url.scheme == "https"
    app.config.update(
        SETTINGS=settings,
        SECRET_KEY=settings.signing_key,
        SQLALCHEMY_DATABASE_URI=settings.sqlalchemy_url,
        SQLALCHEMY_BINDS=binds(settings.sqlalchemy_url),
        MAX_CONTENT_LENGTH=settings.max_upload_mb * 1024 * 1024,
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
        COMPRESS_MIMETYPES=COMPRESSIBLE,
        COMPRESS_ALGORITHM=["br", "gzip"],
        **sign_in.OPTIONS,
    )
    app.config.update(config)
    # What is done to a response goes from the last named here to the first.
    security_headers.init_app(app)
    downloads.init_app(app)
    db.init_app(app)
    with app.app_context():
        look_before_use(db.engines)
    migrate.init_app(app, db, directory=settings.migrations, include_name=is_ours)
    babel.init_app(app, default_locale="zh_CN", locale_selector=language.choose)
    csrf.init_app(app)
    limiter.init_app(app)
    compress.init_app(app)
    templating.init_app(app)
    language.init_app(app)
    error_pages.init_app(app)
    app.extensions["media_store"] = open_store(settings)
    _register_views(app)
    sign_in.init_app(app)
    # Flask-Security has put its own JSON provider in place by now.
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.before_request(read_bearer)
    app.before_request(guard)
    jobs.init_app(app, settings)
    cli.init_app(app)
    flask = refuse_malformed(app.wsgi_app, settings.hosts)
    scans = app.extensions["scan_log"] = ScanLog(app, settings)
    app.wsgi_app = ScanLayer(app, flask, reader_for(driver_of(settings)), StopLease(settings), TracePages(), scans)  # type: ignore[method-assign]
    return app


def _counts_at(redis_url: str) -> str:
    """Where rate limits are counted. The counting library has a name of its own for a Redis behind a socket file."""
    return (
        redis_url.replace("unix://", "redis+unix://", 1)
        if redis_url.startswith("unix://")
        else redis_url or "memory://"
    )


def _register_views(app: Any) -> None:
    """Register the blueprint of every room that has one: ``views`` of its module ``views``, or ``api``."""
    for module in sorted(found.name for found in walk_packages(__path__, f"{__name__}.")):
        if module.rpartition(".")[2] == "views":
            views = import_module(module)
            if hasattr(views, "api"):
                app.register_api(views.api)
            else:
                app.register_blueprint(views.views)
    app.register_blueprint(document.views)
