"""Whole numbers in addresses and forms, no larger than a row's id can be: both databases refuse what is beyond."""

from __future__ import annotations

from flask import Flask, request
from werkzeug.routing import IntegerConverter

MOST = 2**31 - 1
"""The largest of PostgreSQL's ``integer``."""


class RowNumber(IntegerConverter):
    """What ``<int:…>`` in a route takes; a larger number is the address of nothing."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **({"max": MOST} | named))  # type: ignore[arg-type]


def row_number(text: str) -> int:
    """A number as it stands in a query or a form, for ``type=`` of `request.args`.

    :raises ValueError: for what is none, or larger than any row's; the argument then counts as not given.
    """
    number = int(text)
    if not -MOST <= number <= MOST:
        raise ValueError(text)
    return number


def asked_page() -> int:
    """Which page of a list the request asks for; 1 where it asks for none that there can be."""
    return max(1, request.args.get("page", 1, type=row_number))


def init_app(app: Flask) -> None:
    """Have routes take no larger numbers. This comes before they are registered."""
    app.url_map.converters["int"] = RowNumber
