"""Addresses for those who watch over the platform: whether it lives, whether it can work, how much it does."""

from __future__ import annotations

import hmac
import ipaddress

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from trace_app import metrics
from trace_app.accounts.access import NotFound, public
from trace_app.extensions import db
from trace_app.monitoring.service import figures_now, parts
from trace_app.settings import settings

views = Blueprint("monitoring", __name__)


@views.get("/healthz")
@public
def health() -> ResponseReturnValue:
    """Whether the process answers at all; it asks nobody."""
    return {"status": "ok"}


@views.get("/readyz")
@public
def ready() -> ResponseReturnValue:
    """Whether the platform can do its work, for a load balancer.

    Without its database it can't: 503. Without queue or store it goes on, and says so: to send its users away would
    take from them what still works.
    """
    states = parts()
    said = {name: "ok" if answers else "away" for name, answers in states.items()}
    if not states["database"]:
        return {"status": "away", **said}, 503, {"Retry-After": "5"}
    return {"status": "ok" if all(states.values()) else "degraded", **said}


@views.get("/metrics")
@public
def figures() -> ResponseReturnValue:
    """Figures for Prometheus, for who comes from where METRICS_ALLOW says or brings METRICS_TOKEN."""
    if not _may_look():
        raise NotFound
    text, kind = metrics.page(figures_now())
    return Response(text, content_type=kind, headers={"Cache-Control": "no-store"})


def _may_look() -> bool:
    token = settings().metrics_token
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if token is not None and scheme.lower() == "bearer":
        return hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())
    if not settings().proxy_hops and "X-Forwarded-For" in request.headers:
        # A proxy that nobody told us of: what seems to come from this machine comes from anywhere.
        return False
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return False
    return any(address in network for network in settings().metrics_networks)


@views.after_app_request
def _note_connections(response: Response) -> Response:
    metrics.note_connections(db.engine.pool.checkedout())  # type: ignore[attr-defined]
    return response
