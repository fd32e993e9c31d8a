"""Whether the rules of commitment certificates leave no day out and have no day twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from flask_babel import lazy_gettext as _

from trace_app.clock import today
from trace_app.values import Facts

SAMPLES = {"producer": _("生产者"), "buyer": _("收购者")}
"""Whose certificate a rule is on: each has one at any time."""
Rows = Sequence[tuple[int, Facts]]
"""Rows with their numbers in the file."""


def faults_in_periods(rows: Rows) -> list[str]:
    """What no set of rules may have: a sort of issuer without any rule, or without one for today; rules of one that
    overlap, or leave days out between them."""
    found: list[str] = []
    for sample, name in SAMPLES.items():
        own = sorted((row for row in rows if row[1]["sample"] == sample), key=lambda row: row[1]["valid_from"])
        found += (
            _faults(own, str(name))
            if own
            else [str(_("缺少“%(name)s”的规定（sample 填 %(sample)s）。", name=name, sample=sample))]
        )
    return found


def _faults(rows: Rows, name: str) -> list[str]:
    """:param rows: of one sort of issuer, by their beginnings."""
    found = [fault for one, following in pairwise(rows) if (fault := _between(one, following, name))]
    (first, beginning), (last, end) = rows[0], rows[-1]
    if beginning["valid_from"] > today():
        found.append(
            str(
                _(
                    "“%(name)s”今天没有适用的规定：最早的第 %(row)d 行从 %(day)s 才开始。",
                    name=name,
                    row=first,
                    day=beginning["valid_from"],
                )
            )
        )
    if all(row["valid_until"] is not None and row["valid_until"] < today() for _number, row in rows):
        found.append(
            str(
                _(
                    "“%(name)s”今天没有适用的规定：最后的第 %(row)d 行到 %(day)s 为止。",
                    name=name,
                    row=last,
                    day=end["valid_until"],
                )
            )
        )
    return found


def _between(one: tuple[int, Facts], following: tuple[int, Facts], name: str) -> str | None:
    (row, facts), (other, next_facts) = one, following
    until, since = facts["valid_until"], next_facts["valid_from"]
    if until is None or until >= since:
        return str(
            _(
                "第 %(other)d 行与第 %(row)d 行都管着 %(day)s（“%(name)s”）。请让第 %(row)d 行最晚到 %(before)s 为止。",
                row=row,
                other=other,
                day=since,
                name=name,
                before=since - _DAY,
            )
        )
    if until + _DAY < since:
        return str(
            _(
                "第 %(row)d 行与第 %(other)d 行之间，“%(name)s”从 %(first)s 到 %(last)s 没有规定。请补上这几天。",
                row=row,
                other=other,
                name=name,
                first=until + _DAY,
                last=since - _DAY,
            )
        )
    return None


_DAY = timedelta(days=1)
