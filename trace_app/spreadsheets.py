"""Tables as people hand them in: Excel workbooks and CSV in whatever encoding, as rows of text.

What can't be read is refused with what to do about it; nothing in a file is ever run or followed.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from flask_babel import lazy_gettext as _

from trace_app.errors import Unprocessable

MAX_FILE_MB = 20
MAX_UNPACKED_MB = 400
MAX_ROWS = 50_000
"""The most rows that all sheets may have together."""
MAX_COLUMNS = 200
PLAIN_TEXTS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
"""How XlsxWriter makes a workbook in which texts stay texts."""
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FORMULA = re.compile(rb'<c r="([A-Z]+)(\d+)"[^>]*><f')
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
Cell = str | float | bool | date | time | timedelta


class SheetProblem(Unprocessable):
    """A file is no table that can be read."""

    code = "not-a-table"
    title = _("“%(name)s”不是能读的表格。请上传 Excel 工作簿（.xlsx）或 CSV 文件。")


class SheetTooLarge(SheetProblem):
    code = "table-too-large"
    title = _("“%(name)s”太大：最多 %(most)s MB。请分成几个文件上传。")


class TooManyRows(SheetProblem):
    title = _("“%(name)s”超过 %(most)s 行。请分成几个文件上传。")


class MacrosInside(SheetProblem):
    title = _("“%(name)s”含有宏，不能上传。请在 Excel 里“另存为”不带宏的工作簿（.xlsx）。")


class PasswordInside(SheetProblem):
    title = _("“%(name)s”设了密码，打不开。请去掉密码后再上传。")


class UnknownEncoding(SheetProblem):
    title = _("“%(name)s”的文字编码认不出来。请另存为 UTF-8 或 GBK 编码的 CSV，或 Excel 工作簿。")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its rows as they stand, the first of them row 1."""

    name: str
    rows: Sequence[Sequence[Cell]]
    """Cells as calamine or csv give them: text, numbers, dates, times, empty text."""
    formulas: frozenset[tuple[int, int]] = frozenset()
    """Row and column, from 1 on, of cells that hold a formula."""


def read_tables(name: str, data: bytes) -> list[Sheet]:
    """The sheets of a workbook, or the one table of a CSV file.

    :param name: the file's, for messages.
    :raises SheetProblem:
    """
    if len(data) > MAX_FILE_MB * 1024 * 1024:
        raise SheetTooLarge(name=name, most=MAX_FILE_MB)
    if data.startswith(_OLE) and _ENCRYPTED in data:
        raise PasswordInside(name=name)
    if data.startswith((_ZIP, _OLE)):
        return _read_workbook(name, data)
    return [Sheet(name, read_csv(name, data))]


def _read_workbook(name: str, data: bytes) -> list[Sheet]:
    import python_calamine

    formulas: dict[int, frozenset[tuple[int, int]]] = {}
    try:
        if data.startswith(_ZIP):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED_MB * 1024 * 1024:
                    raise SheetTooLarge(name=name, most=MAX_FILE_MB)
                if any("vbaproject" in member.lower() for member in archive.namelist()):
                    raise MacrosInside(name=name)
                formulas = _formulas(archive)
        elif b"_VBA_PROJECT".decode().encode("utf-16-le") in data:
            raise MacrosInside(name=name)
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = workbook.sheet_names
        sheets, left = [], MAX_ROWS
        for number, sheet_name in enumerate(names):
            sheet = workbook.get_sheet_by_name(sheet_name)
            if sheet.height > left or sheet.width > MAX_COLUMNS:
                raise TooManyRows(name=name, most=MAX_ROWS)
            left -= sheet.height
            rows = sheet.to_python(skip_empty_area=False)
            sheets.append(Sheet(sheet_name, rows, formulas.get(number, frozenset())))
    except (python_calamine.CalamineError, zipfile.BadZipFile, OSError, ValueError, RuntimeError, KeyError) as error:
        raise SheetProblem(name=name) from error
    except BaseException as error:
        # What calamine can't cope with at all arrives as a panic.
        if type(error).__name__ != "PanicException":
            raise
        raise SheetProblem(name=name) from error
    return sheets


def _formulas(archive: zipfile.ZipFile) -> dict[int, frozenset[tuple[int, int]]]:
    """The cells with formulas, by the number of their sheet (ECMA-376, part 1, 18.3.1.40)."""
    parts = sorted(
        (name for name in archive.namelist() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)),
        key=lambda name: int(re.findall(r"\d+", name)[0]),
    )
    found = {}
    for number, part in enumerate(parts):
        content = archive.read(part)
        if b"<f" in content:
            cells = _FORMULA.findall(content)
            found[number] = frozenset((int(row), column_number(column.decode())) for column, row in cells)
    return found


def column_number(letters: str) -> int:
    """1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def column_letters(number: int) -> str:
    """A for 1, AA for 27."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def decode(name: str, data: bytes) -> str:
    """Text in UTF-8, UTF-16 with a byte order mark, or GB 18030 (which GBK and GB 2312 are parts of).

    :raises UnknownEncoding:
    """
    encodings = ["utf-16"] if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise UnknownEncoding(name=name)


def read_csv(name: str, data: bytes) -> list[list[str]]:
    """The rows of a CSV file, apart by commas, semicolons or tabs.

    :raises SheetProblem:
    """
    if len(data) > MAX_FILE_MB * 1024 * 1024:
        raise SheetTooLarge(name=name, most=MAX_FILE_MB)
    text = decode(name, data)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise SheetProblem(name=name) from error
    if len(rows) > MAX_ROWS or max(map(len, rows), default=0) > MAX_COLUMNS:
        raise TooManyRows(name=name, most=MAX_ROWS)
    return rows


def cell_text(cell: Cell | None) -> str:
    """A cell as a person would type it into a form: 40, 12.5, 2026-09-15."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, float):
        return str(int(cell)) if cell == int(cell) and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    if cell is None:
        return ""
    return str(cell)


def without_formula(text: str) -> str:
    """Text that a spreadsheet program does not take for a formula when it opens a CSV file."""
    return "'" + text if text[:1] in {"=", "+", "-", "@", "\t", "\r"} and not _is_number(text) else text


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """A CSV file as Excel opens it: with a byte order mark, and no text of which could be taken for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows([without_formula("" if value is None else str(value)) for value in row] for row in rows)
    return "\ufeff" + out.getvalue()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
