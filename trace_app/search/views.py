"""The search box in the head of every page."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.lists import typed_search
from trace_app.search.service import search

views = Blueprint("search", __name__)
SEARCHERS = (RoleName.PRODUCER, RoleName.BUYER, *SUPERVISORS)


@views.get("/search")
@allow(*SEARCHERS)
def show() -> ResponseReturnValue:
    typed = typed_search()
    return render_template("search/show.html", typed=typed, groups=search(the_user(), typed))


@views.app_template_test("searcher")
def is_searcher(role: RoleName) -> bool:
    """Whether people of a role have something to search."""
    return role in SEARCHERS
