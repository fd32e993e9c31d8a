"""What every response tells the browser to allow."""

from __future__ import annotations

from flask import Flask, Response, g, request, session

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
            also = "; includeSubDomains" if settings.hsts_subdomains else ""
            headers["Strict-Transport-Security"] = f"max-age=31536000{also}"
        if "Cache-Control" not in headers:
            # Pages differ by user and may be recalled the next moment.
            headers["Cache-Control"] = "private, no-cache" if _may_be_kept() else "no-store"
        if request.endpoint == "security.logout":
            # Not the storage: entries that wait for a network are in it.
            headers["Clear-Site-Data"] = '"cache"'
        return response

    app.after_request(add_headers)


def keep_for_going_back() -> None:
    """Let the browser keep this page until signing out: it has a form, and Back brings back what was typed."""
    g.kept_for_going_back = True


def _may_be_kept() -> bool:
    """Whether the browser may keep a page, asking each time: not where it shows what only who is signed in may see."""
    return "_user_id" not in session or g.get("kept_for_going_back", False)


def allow_inline_style(digest: str) -> None:
    """Let this response carry one style sheet inline, named by its SHA-256 (CSP level 2)."""
    g.style_source = f"'self' 'sha256-{digest}'"


def allow_webassembly() -> None:
    """Let this response's own scripts run WebAssembly; it allows no other evaluation of text (CSP level 3)."""
    g.script_source = "'self' 'wasm-unsafe-eval'"
