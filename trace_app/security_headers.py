"""What every response tells the browser to allow."""

from __future__ import annotations

from flask import Flask, Response, g

from config import Settings

_POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; img-src 'self' data:; media-src 'self';"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " manifest-src 'self'"
)


def init_app(app: Flask) -> None:
    settings: Settings = app.config["SETTINGS"]
    secure = settings.public_url.scheme == "https"

    def add_headers(response: Response) -> Response:
        headers = response.headers
        headers.setdefault(
            "Content-Security-Policy",
            _POLICY.format(style=g.get("style_source", "'self'"), script=g.get("script_source", "'self'")),
        )
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
        headers["Permissions-Policy"] = "camera=(self), geolocation=(self), microphone=(), payment=()"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        if secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if "Cache-Control" not in headers:
            # Pages differ by user and may be recalled the next moment.
            headers["Cache-Control"] = "private, no-cache"
        return response

    app.after_request(add_headers)


def allow_inline_style(digest: str) -> None:
    """Let this response carry one style sheet inline, named by its SHA-256 (CSP level 2)."""
    g.style_source = f"'self' 'sha256-{digest}'"


def allow_webassembly() -> None:
    """Let this response's own scripts run WebAssembly; it allows no other evaluation of text (CSP level 3)."""
    g.script_source = "'self' 'wasm-unsafe-eval'"
