"""The regulator's desk."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.clock import today
from trace_app.db.base import utc_now
from trace_app.desk.service import desk_of
from trace_app.findings.service import open_counts
from trace_app.lists import typed_search
from trace_app.search.service import search

views = Blueprint("desk", __name__)


@views.get("/desk")
@allow(*SUPERVISORS)
def show() -> ResponseReturnValue:
    typed = typed_search()
    return render_template(
        "desk/show.html",
        desk=desk_of(the_user()),
        typed=typed,
        groups=search(the_user(), typed),
        now=utc_now(),
        today=today(),
        counts=open_counts(the_user()),
    )


@views.get("/desk/search")
@allow(*SUPERVISORS)
def hits() -> ResponseReturnValue:
    """The hits alone, as the page shows them while one types."""
    typed = typed_search()
    return render_template("search/hits.html", typed=typed, groups=search(the_user(), typed))
