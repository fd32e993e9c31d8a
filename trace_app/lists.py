"""Lists of the desk: columns, sorting, pages by key and files of what is shown, said once for all of them.

A list's shape names its columns; its query says what may be seen and what was asked for. A page begins behind the last
row of the one before, by the value it is sorted by and its id: however many rows there are, an index leads to it, and
no row is skipped or shown twice where others come and go meanwhile.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, ClassVar

import sqlalchemy as sa
import xlsxwriter
from flask import Response, request, url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.base import ExecutableOption

from trace_app.attachments import attachment
from trace_app.clock import local, today
from trace_app.db.base import UtcDateTime
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.forms import plain_decimal
from trace_app.spreadsheets import PLAIN_TEXTS, csv_text
from trace_app.values import Facts
from trace_app.whole_numbers import row_number

PER_PAGE = 50
MOST_EXPORTED = 50_000
LONGEST_KEY = 300
YEARS = range(1990, 2200)
"""The years that moments in the database lie in; others have no place on all clocks."""
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class TooManyToExport(Unprocessable):
    """A file holds so many rows and no more: none is left out silently."""

    title = _("超过 %(most)s 行，一个文件放不下。请先筛选，再导出。")


def typed_search() -> str:
    """What was typed into the search of a list, as its address says it."""
    return request.args.get("q", "").strip()[:60]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list, and of its files.

    :ivar value: what a row has in it: a text, a number, a day or a moment; None for nothing.
    :ivar sort: the column of the table to sort by, never empty; None where the list is not sorted by it.
    :ivar tag: the class of the mark that the value stands in, such as ``bad``.
    """

    name: str
    title: LazyString
    value: Callable[[Any], object]
    sort: InstrumentedAttribute[Any] | None = None
    tag: Callable[[Any], str] | None = None


@dataclass(frozen=True, slots=True)
class ListShape:
    """What all pages of a list have in common.

    :ivar key: the id of its rows.
    :ivar order: the name of the column that it is sorted by where nothing else is asked for, with ``-`` before it for
        the greatest first.
    :ivar url: where a row leads to.
    """

    endpoint: str
    title: LazyString
    columns: Sequence[Column]
    key: InstrumentedAttribute[int]
    order: str
    url: Callable[[Any], str]
    options: Sequence[ExecutableOption] = ()

    def asked(
        self, query: sa.Select[Any], filters: Mapping[str, str], ways: Sequence[sa.ColumnElement[bool]] = ()
    ) -> Listing:
        """The page of the list that the request asks for.

        :param query: the rows, filtered and not yet sorted.
        :param filters: what the query was filtered by, as the address says it.
        :param ways: conditions of which one must hold. Each is looked up by itself, so that each has its index.
        """
        order = request.args.get("sort", self.order)
        known = {column.name: column.sort for column in self.columns if column.sort is not None}
        if order.removeprefix("-") not in known:
            order = self.order
        given = {name: value for name, value in filters.items() if value}
        return Listing(self, query, given, known[order.removeprefix("-")], order, ways)


@dataclass
class Listing:
    """One page of a list."""

    shape: ListShape
    query: sa.Select[Any]
    filters: dict[str, str]
    by: InstrumentedAttribute[Any]
    order: str
    ways: Sequence[sa.ColumnElement[bool]] = ()
    FILES: ClassVar[tuple[str, ...]] = ("xlsx", "csv")

    @property
    def descending(self) -> bool:
        return self.order.startswith("-")

    @property
    def rows(self) -> list[Any]:
        return self._page[0]

    @cached_property
    def _page(self) -> tuple[list[Any], str | None, str | None]:
        """The rows, and the keys that the pages before and behind begin at."""
        before, after = self._key("before"), self._key("after")
        backwards = before is not None
        start = before if backwards else after
        query = self.query
        if start is not None:
            ends = sa.tuple_(self.by, self.shape.key)
            bound = sa.tuple_(sa.literal(start[0], self.by.type), sa.literal(start[1]))
            query = query.where(ends < bound if self.descending != backwards else ends > bound)
        found = self._read_rows(query, PER_PAGE + 1, backwards=backwards)
        more, rows = len(found) > PER_PAGE, found[:PER_PAGE]
        if backwards:
            rows.reverse()
        has_before = more if backwards else start is not None
        has_after = backwards or more
        return (
            rows,
            self._written(rows[0]) if rows and has_before else None,
            self._written(rows[-1]) if rows and has_after else None,
        )

    def _read_rows(self, query: sa.Select[Any], most: int, *, backwards: bool = False) -> list[Any]:
        ends = (self.by, self.shape.key)
        order = [end.desc() if self.descending != backwards else end.asc() for end in ends]
        if self.ways:
            ids = [
                sa.select(query.with_only_columns(*ends).where(way).order_by(*order).limit(most).subquery().c[1])
                for way in self.ways
            ]
            query = query.where(self.shape.key.in_(sa.union_all(*ids)))
        return list(db.session.scalars(query.options(*self.shape.options).order_by(*order).limit(most)).unique())

    def _written(self, row: Any) -> str:
        value = getattr(row, self.by.key)
        text = plain_decimal(value) if isinstance(value, Decimal) else value
        text = text.isoformat() if isinstance(text, date) else str(text)
        return json.dumps([text, getattr(row, self.shape.key.key)], ensure_ascii=False)

    def _key(self, name: str) -> tuple[object, int] | None:
        """Where the page begins; None at the list's own beginning, and for an address that someone has spoiled."""
        typed = request.args.get(name, "")
        if not typed or len(typed) > LONGEST_KEY:
            return None
        try:
            text, number = json.loads(typed)
            return self._read(str(text)), row_number(str(number))
        except (ValueError, TypeError, InvalidOperation, OverflowError, RecursionError):
            return None

    def _read(self, text: str) -> object:
        if isinstance(self.by.type, UtcDateTime):
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None or moment.year not in YEARS:
                raise ValueError(text)
            return moment
        if isinstance(self.by.type, sa.Date):
            return date.fromisoformat(text)
        if isinstance(self.by.type, sa.Numeric):
            number = Decimal(text)
            if not number.is_finite() or abs(number) > Decimal(10) ** 15:
                raise ValueError(text)
            return number
        return row_number(text) if isinstance(self.by.type, sa.Integer) else text

    @property
    def before_url(self) -> str | None:
        return self._address(before=self._page[1]) if self._page[1] else None

    @property
    def after_url(self) -> str | None:
        return self._address(after=self._page[2]) if self._page[2] else None

    def file_url(self, kind: str) -> str:
        return self._address(export=kind)

    def sort_url(self, column: Column) -> str:
        """The list from its beginning, sorted by a column: once more the other way round."""
        turned = f"-{column.name}" if self.order == column.name else column.name
        return self._address(sort=turned)

    def direction(self, column: Column) -> str | None:
        """How the list is sorted by a column, in the words of ``aria-sort``; None where it is not."""
        return None if column.sort is not self.by else "descending" if self.descending else "ascending"

    def _address(self, **more: str | None) -> str:
        sort = {"sort": self.order} if self.order != self.shape.order else {}
        values: Facts = {**self.filters, **sort, **more}
        return url_for(self.shape.endpoint, **values)

    def file(self) -> Response | None:
        """The file of all rows that the list has, where one is asked for.

        :raises TooManyToExport:
        """
        kind = request.args.get("export", "")
        if kind not in self.FILES:
            return None
        rows = self._read_rows(self.query, MOST_EXPORTED + 1)
        if len(rows) > MOST_EXPORTED:
            raise TooManyToExport(most=MOST_EXPORTED)
        head = [str(column.title) for column in self.shape.columns]
        table = [[_in_file(column.value(row)) for column in self.shape.columns] for row in rows]
        name = f"{self.shape.title}-{today()}.{kind}"
        if kind == "csv":
            return attachment(csv_text([head, *table]), name, "text/csv")
        return attachment(_workbook(head, table), name, XLSX)


def _in_file(value: object) -> str | Decimal | int:
    """A value as a file has it: numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{local(value):%Y-%m-%d %H:%M}"
    if isinstance(value, Decimal):
        return Decimal(plain_decimal(value))
    return value if isinstance(value, int) else str(value)


def _workbook(head: Sequence[str], rows: Sequence[Sequence[str | Decimal | int]]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, PLAIN_TEXTS)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, head, book.add_format({"bold": True}))
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(head) - 1, 16)
    for number, row in enumerate(rows, 1):
        for place, value in enumerate(row):
            if isinstance(value, str):
                sheet.write_string(number, place, value)
            else:
                sheet.write_number(number, place, value)
    book.close()
    return out.getvalue()
