"""Numbers as people type them: what may be read in two ways is refused, never guessed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trace_app.forms import plain_number


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("12.5", "12.5"),
        (" 12.5 ", "12.5"),
        ("１２．５", "12.5"),
        ("1,250", "1250"),
        ("1，250.5", "1250.5"),
        ("1 250 000", "1250000"),
        ("-3", "-3"),
        ("0.050", "0.05"),
    ],
)
def test_a_number_is_read(typed: str, number: str) -> None:
    assert plain_number(typed) == Decimal(number)


@pytest.mark.parametrize(
    "typed", ["0,05", "0，05", "0,050", "12,5", "1,2500", "12 5", "1,25,0", "", "十二", "NaN", "1.2.3"]
)
def test_what_may_mean_something_else_is_no_number(typed: str) -> None:
    assert plain_number(typed) is None
