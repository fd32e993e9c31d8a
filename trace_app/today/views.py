"""A producer's start page."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from trace_app.accounts.access import allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.clock import today
from trace_app.release import service as release
from trace_app.today import service

views = Blueprint("today", __name__)


@views.get("/today")
@allow(RoleName.PRODUCER)
def show() -> ResponseReturnValue:
    release.check_due_of(the_user())
    user = the_user()
    return render_template(
        "today/show.html", day=today(), matters=service.matters_of(user), steps=service.first_steps(user)
    )
