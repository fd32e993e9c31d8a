"""Readings of temperature and humidity loggers: a CSV file thinned out to what a chart and a rule need."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from flask_babel import lazy_gettext as _

from media_store.workbooks import Cell
from trace_app.accounts.models import Author, User
from trace_app.clock import SHANGHAI
from trace_app.db.base import utc_now
from trace_app.errors import Unprocessable
from trace_app.media.service import keep_document
from trace_app.records.models import RecordSeries
from trace_app.spreadsheets import cell_text, read_tables

STRETCHES = 120
"""How many stretches of a series are kept, each with its least and most."""
PLAUSIBLE = {"temperature": (-60.0, 120.0), "humidity": (0.0, 100.0)}
_HEADINGS = {
    "time": re.compile(r"时间|日期|time|date", re.IGNORECASE),
    "temperature": re.compile(r"温度|temp|℃|°c", re.IGNORECASE),
    "humidity": re.compile(r"湿度|hum|rh", re.IGNORECASE),
}
_FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%Y年%m月%d日 %H:%M",
)
MOST_TOLD = 5


class BadSeries(Unprocessable):
    """A logger's file can't be understood."""

    title = _("记录仪文件“%(name)s”有问题：%(faults)s。请改好后重新上传。")


@dataclass(frozen=True, slots=True)
class LoggerReading:
    at: datetime
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class LoggerFile:
    """A logger's file that was read: its name and content, and its readings in order of time."""

    name: str
    data: bytes
    readings: list[LoggerReading]


def read_logger(name: str, data: bytes) -> LoggerFile:
    """A logger's table. Times without a zone are those of Qujing. It may take seconds: not inside a transaction.

    :raises SheetProblem: where the file is no table.
    :raises BadSeries: with the rows that are wrong.
    """
    rows = read_tables(name, data)[0].rows
    columns: dict[str, int] = {}
    start = 0
    # Loggers write a few lines about themselves first.
    for start, row in enumerate(rows[:30], start=1):  # noqa: B007
        found = {
            what: i for what, pattern in _HEADINGS.items() for i, c in enumerate(row) if pattern.search(cell_text(c))
        }
        if "time" in found and len(found) > 1:
            columns = found
            break
    if not columns:
        raise BadSeries(name=name, faults=_("没有找到“时间”和“温度”或“湿度”列的表头"))
    readings, faults, latest = [], [], utc_now() + timedelta(days=1)
    for number, row in enumerate(rows[start:], start=start + 1):
        if not any(cell_text(cell) for cell in row):
            continue
        try:
            readings.append(_reading(row, columns, latest))
        except (ValueError, IndexError):
            faults.append(number)
    if faults:
        told = "、".join(map(str, faults[:MOST_TOLD])) + ("…" if len(faults) > MOST_TOLD else "")
        raise BadSeries(
            name=name, faults=_("第 %(rows)s 行的时间或数值不对（共 %(count)d 行）", rows=told, count=len(faults))
        )
    if len(readings) < 2:
        raise BadSeries(name=name, faults=_("没有读数"))
    return LoggerFile(name, data, sorted(readings, key=lambda reading: reading.at))


def _reading(row: Sequence[Cell], columns: dict[str, int], latest: datetime) -> LoggerReading:
    cell = row[columns["time"]]
    at = cell if isinstance(cell, datetime) else _moment(cell_text(cell))
    at = at.replace(tzinfo=SHANGHAI) if at.tzinfo is None else at
    values = {}
    for quantity, (least, most) in PLAUSIBLE.items():
        if quantity in columns and (text := cell_text(row[columns[quantity]])):
            number = float(text.rstrip("%℃ "))
            if not least <= number <= most:
                raise ValueError(text)
            values[quantity] = number
    if not values or at > latest or at.year < 2000:
        raise ValueError(at)
    return LoggerReading(at, values)


def _moment(text: str) -> datetime:
    plain = text.replace("/", "-").replace(".", "-", 2)
    for form in _FORMATS:
        try:
            return datetime.strptime(plain, form)  # noqa: DTZ007
        except ValueError:
            continue
    return datetime.fromisoformat(plain)


def keep_series(user: User | Author, file: LoggerFile) -> list[RecordSeries]:
    """A logger's file, kept as it is, and its series thinned out."""
    readings = file.readings
    document = keep_document(user, file.name, file.data, "xlsx" if file.data.startswith(b"PK") else "csv")
    found = []
    for quantity in PLAUSIBLE:
        points = [(reading.at, reading.values[quantity]) for reading in readings if quantity in reading.values]
        if points:
            values = [value for _at, value in points]
            found.append(
                RecordSeries(
                    quantity=quantity,
                    starts_at=points[0][0],
                    ends_at=points[-1][0],
                    count=len(points),
                    least=min(values),
                    most=max(values),
                    mean=sum(values) / len(values),
                    points=stretches(points),
                    document_id=document.id,
                )
            )
    return found


def stretches(points: list[tuple[datetime, float]]) -> list[list[float]]:
    """Readings thinned out: seconds from the first, least and most of each stretch."""
    start = points[0][0]
    size = -(-len(points) // STRETCHES)
    parts = [points[first : first + size] for first in range(0, len(points), size)]
    return [
        [(part[0][0] - start).total_seconds(), min(v for _at, v in part), max(v for _at, v in part)] for part in parts
    ]


def copy_of(series: RecordSeries) -> RecordSeries:
    """The same readings for a record that takes the other's place."""
    names = ("quantity", "starts_at", "ends_at", "count", "least", "most", "mean", "points", "document_id")
    return RecordSeries(**{name: getattr(series, name) for name in names})


class Charted(Protocol):
    """What a curve is drawn of."""

    starts_at: datetime
    ends_at: datetime
    least: float
    most: float
    points: list[list[float]]


def chart_points(series: Charted, width: float, height: float) -> str:
    """The band between least and most as the points of an SVG polygon."""
    span = max((series.ends_at - series.starts_at).total_seconds(), 1.0)
    room = max(series.most - series.least, 0.1)

    def place(seconds: float, value: float) -> str:
        return f"{seconds / span * width:.1f},{(series.most - value) / room * height:.1f}"

    upper = [place(seconds, most) for seconds, _least, most in series.points]
    lower = [place(seconds, least) for seconds, least, _most in series.points]
    return " ".join([*upper, *reversed(lower)])
