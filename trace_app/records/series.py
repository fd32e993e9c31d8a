"""Readings of temperature and humidity loggers: a CSV file thinned out to what a chart and a rule need."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Protocol

from flask_babel import lazy_gettext as _

from media_store.workbooks import Cell
from trace_app.accounts.models import Author, User
from trace_app.clock import SHANGHAI
from trace_app.dates import NotADate, read_day, read_moment, read_zone
from trace_app.db.base import utc_now
from trace_app.errors import Unprocessable
from trace_app.media.service import keep_document
from trace_app.numbers import NotANumber, read_number
from trace_app.plain_text import half_width
from trace_app.records.models import RecordSeries
from trace_app.spreadsheets import cell_text, read_tables

STRETCHES = 120
"""How many stretches of a series are kept, each with its least and most."""
PLAUSIBLE = {"temperature": (-60.0, 120.0), "humidity": (0.0, 100.0)}
_HEADINGS = {
    "time": re.compile(r"时间|time|unix", re.IGNORECASE),
    "date": re.compile(r"日期|date", re.IGNORECASE),
    "temperature": re.compile(r"温度|temp|℃|°c", re.IGNORECASE),
    "humidity": re.compile(r"湿度|hum|rh", re.IGNORECASE),
}
_LIMITS = re.compile(
    r"上限|下限|报警|警|阈|最高|最低|最大|最小|露点|alarm|limit|high|low|max|min\b|dew|threshold", re.IGNORECASE
)
"""Headings of columns that hold no readings."""
_GAPS = {"", "-", "--", "---", "nc", "n/a", "na", "nan", "null", "ol", "err", "断线", "未接"}
"""What loggers write where a probe gave no reading."""
_SUMMARY = re.compile(r"最高|最低|最大|最小|平均|合计|max|min|avg|average|mean", re.IGNORECASE)
_UNIT = re.compile(r" *(?:%? *rh|%|°?c|℃)$", re.IGNORECASE)
_UNIX = re.compile(r"[0-9]{10}(?:[0-9]{3})?")
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
        found = _columns([cell_text(cell) for cell in row], name)
        if "time" in found and found.keys() & PLAUSIBLE.keys():
            columns = found
            break
    if not columns:
        raise BadSeries(name=name, faults=_("没有找到“时间”和“温度”或“湿度”列的表头"))
    said = [cell_text(rows[start - 1][columns[what]]) for what in ("time", "date") if what in columns]
    zone = next((zone for text in said if (zone := read_zone(text))), SHANGHAI)
    readings, faults, latest, why = [], [], utc_now() + timedelta(days=1), ""
    for number, row in enumerate(rows[start:], start=start + 1):
        if not any(cell_text(cell) for cell in row):
            continue
        if _SUMMARY.match(cell_text(row[0])):
            continue
        try:
            reading = _reading(row, columns, latest, zone)
            if reading is not None:
                readings.append(reading)
        except (ValueError, IndexError) as error:
            faults.append(number)
            why = why or (str(error.message) if isinstance(error, NotADate | NotANumber) else "")
    if faults:
        told = "、".join(map(str, faults[:MOST_TOLD])) + ("…" if len(faults) > MOST_TOLD else "")
        wrong = str(_("第 %(rows)s 行的时间或数值不对（共 %(count)d 行）", rows=told, count=len(faults)))
        raise BadSeries(name=name, faults=f"{wrong} {why}".rstrip("。. "))
    if len(readings) < 2:
        raise BadSeries(name=name, faults=_("没有读数"))
    return LoggerFile(name, data, sorted(readings, key=lambda reading: reading.at))


def _columns(headings: Sequence[str], name: str) -> dict[str, int]:
    """Which column holds what. Columns of limits and alarms hold no readings.

    :raises BadSeries: where two columns may be meant.
    """
    found: dict[str, list[int]] = {}
    for index, heading in enumerate(headings):
        for what, pattern in _HEADINGS.items():
            if pattern.search(heading) and not _LIMITS.search(heading):
                found.setdefault(what, []).append(index)
                break
    times = found.keys() & {"time", "date"}
    if not times or not found.keys() & PLAUSIBLE.keys():
        return {}
    if times == {"date"}:
        found["time"] = found.pop("date")
    for several in found.values():
        if len(several) > 1:
            told = "、".join(headings[index] for index in several)
            raise BadSeries(name=name, faults=_("有几列都可能是要的：%(columns)s，请只留一列", columns=told))
    for what in found.keys() & {"temperature"}:
        if re.search("℉|°f", headings[found[what][0]], re.IGNORECASE):
            raise BadSeries(name=name, faults=_("温度是华氏度，请在记录仪软件里改为摄氏度再导出"))
    return {what: several[0] for what, several in found.items()}


def _reading(row: Sequence[Cell], columns: dict[str, int], latest: datetime, zone: tzinfo) -> LoggerReading | None:
    """What a row says; None where no probe gave a reading.

    :raises ValueError, IndexError: where it makes no sense.
    """
    at = _moment([row[columns[what]] for what in ("date", "time") if what in columns], zone)
    values, gaps = {}, 0
    for quantity, (least, most) in PLAUSIBLE.items():
        if quantity not in columns:
            continue
        text = cell_text(row[columns[quantity]])
        if text.lower() in _GAPS:
            gaps += 1
            continue
        number = float(read_number(_UNIT.sub("", half_width(text))))
        if not least <= number <= most:
            raise ValueError(text)
        values[quantity] = number
    if at > latest or at.year < 2000:
        raise ValueError(at)
    return LoggerReading(at, values) if values else None


def _moment(cells: Sequence[Cell], zone: tzinfo) -> datetime:
    """A moment of one cell, or of a day's and a time's."""
    if len(cells) == 1 and isinstance(cells[0], datetime):
        return cells[0].replace(tzinfo=cells[0].tzinfo or zone)
    text = " ".join(cell_text(cell) for cell in cells).strip()
    if _UNIX.fullmatch(text):
        return datetime.fromtimestamp(int(text[:10]), UTC)
    try:
        return read_moment(text, zone)
    except NotADate:
        # A reading of each day alone is one of its beginning.
        if len(cells) > 1:
            raise
        return datetime.combine(read_day(text), time(), zone)


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
