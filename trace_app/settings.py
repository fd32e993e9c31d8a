"""The one door to the settings, and the one place where absolute addresses are made."""

from __future__ import annotations

from typing import Any, cast

from flask import current_app, has_request_context, url_for

from config import Settings


def settings() -> Settings:
    """The settings of the running application."""
    return cast(Settings, current_app.config["SETTINGS"])


def absolute(path: str) -> str:
    """A path of this platform as an absolute address.

    It begins with ``PUBLIC_URL``, whatever host a request names: labels, papers and messages carry it.
    """
    return settings().home + path


def address_of(endpoint: str, **values: Any) -> str:
    """The absolute address of a view, within a request or in a job."""
    if has_request_context():
        return absolute(url_for(endpoint, **values))
    return absolute(current_app.url_map.bind("").build(endpoint, values))
