"""Excel workbooks that come in, as rows of cells. Nothing in them is ever run or followed."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta

from media_store.confined import confined

MAX_UNPACKED_MB = 400
ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FORMULA = re.compile(rb'<c r="([A-Z]+)(\d+)"[^>]*><f')
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_VBA = "_VBA_PROJECT".encode("utf-16-le")
PERCENT, ZEROS, SCIENTIFIC = "percent", "zeros", "scientific"
_CELL = rb'<(?:\w+:)?c r="([A-Z]+)(\d+)"[^>]*? s="(%s)"'
_BUILT_IN = {9: PERCENT, 10: PERCENT, 11: SCIENTIFIC, 48: SCIENTIFIC}
"""Number formats that need no name (ECMA-376, part 1, 18.8.30)."""
Cell = str | float | bool | date | time | timedelta


class UnreadableWorkbook(ValueError):
    """The bytes are no workbook that can be read."""


class WorkbookTooLarge(UnreadableWorkbook):
    """The sheets have more rows or columns than were allowed."""


class UnpacksTooLarge(UnreadableWorkbook):
    """Unpacked it would be larger than is ever read."""


class HasMacros(UnreadableWorkbook):
    """There are macros in it."""


class HasPassword(UnreadableWorkbook):
    """It opens with a password only."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its rows as they stand, the first of them row 1."""

    name: str
    rows: Sequence[Sequence[Cell]]
    """Cells as calamine or csv give them: text, numbers, dates, times, empty text."""
    formulas: frozenset[tuple[int, int]] = frozenset()
    """Row and column, from 1 on, of cells that hold a formula."""
    formats: Mapping[tuple[int, int], str] | None = field(default_factory=dict)
    """Row and column of cells that show more than they hold, and how: `PERCENT`, `ZEROS` or `SCIENTIFIC`. None where
    the kind of file does not tell."""
    merged: Sequence[tuple[tuple[int, int], tuple[int, int]]] = ()
    """Row and column, from 0 on, of the first and last cell of each merged range."""


def is_workbook(data: bytes) -> bool:
    """Whether the bytes begin as those of .xlsx and .xls files do."""
    return data.startswith((ZIP, OLE))


def read_workbook(data: bytes, most_rows: int, most_columns: int) -> list[Sheet]:
    """The sheets of a workbook.

    :param most_rows: of all sheets together.
    :raises UnreadableWorkbook, WorkbookTooLarge, UnpacksTooLarge, HasMacros, HasPassword:
    """
    import python_calamine

    formulas: dict[int, frozenset[tuple[int, int]]] = {}
    formats: dict[int, dict[tuple[int, int], str]] | None = None
    try:
        if data.startswith(ZIP):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED_MB * 1024 * 1024:
                    raise UnpacksTooLarge
                if any("vbaproject" in member.lower() for member in archive.namelist()):
                    raise HasMacros
                formulas, formats = _formulas(archive), _formats(archive)
        elif _ENCRYPTED in data:
            raise HasPassword
        elif _VBA in data:
            raise HasMacros
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets, left = [], most_rows
        for number, name in enumerate(workbook.sheet_names):
            sheet = workbook.get_sheet_by_name(name)
            if sheet.height > left or sheet.width > most_columns:
                raise WorkbookTooLarge
            left -= sheet.height
            rows = sheet.to_python(skip_empty_area=False)
            shown = formats.get(number, {}) if formats is not None else None
            merged = sheet.merged_cell_ranges or ()
            sheets.append(Sheet(name, rows, formulas.get(number, frozenset()), shown, merged))
    except UnreadableWorkbook:
        raise
    except (python_calamine.CalamineError, zipfile.BadZipFile, OSError, ValueError, RuntimeError, KeyError) as error:
        raise UnreadableWorkbook(str(error)) from None
    except BaseException as error:
        # What calamine can't cope with at all arrives as a panic.
        if type(error).__name__ != "PanicException":
            raise
        raise UnreadableWorkbook(str(error)) from None
    return sheets


sheets_of = confined(read_workbook, memory_mb=1024)
"""`read_workbook` in a process of its own."""


def _formulas(archive: zipfile.ZipFile) -> dict[int, frozenset[tuple[int, int]]]:
    """The cells with formulas, by the number of their sheet (ECMA-376, part 1, 18.3.1.40)."""
    found = {}
    for number, part in enumerate(_parts(archive)):
        content = archive.read(part)
        if b"<f" in content:
            cells = _FORMULA.findall(content)
            found[number] = frozenset((int(row), column_number(column.decode())) for column, row in cells)
    return found


def _parts(archive: zipfile.ZipFile) -> list[str]:
    return sorted(
        (name for name in archive.namelist() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)),
        key=lambda name: int(re.findall(r"\d+", name)[0]),
    )


def _formats(archive: zipfile.ZipFile) -> dict[int, dict[tuple[int, int], str]] | None:
    """The cells that show more than they hold, by the number of their sheet; None where the file has no styles."""
    names = archive.namelist()
    if "xl/styles.xml" not in names or "xl/workbook.xml" not in names:
        return None
    if re.search(rb'date1904="(?:1|true)"', archive.read("xl/workbook.xml")):
        # Its numbers count days from another one.
        return None
    styles = archive.read("xl/styles.xml").decode("utf-8", "replace")
    named = dict(_BUILT_IN)
    for tag in re.findall(r"<(?:\w+:)?numFmt [^>]*>", styles):
        own, code = re.search(r'numFmtId="(\d+)"', tag), re.search(r'formatCode="([^"]*)"', tag)
        if own and code and (kind := _kind_of_format(code[1])):
            named[int(own[1])] = kind
    cells = re.search(r"<(?:\w+:)?cellXfs\b.*?</(?:\w+:)?cellXfs>", styles, re.DOTALL)
    numbers = re.findall(r'<(?:\w+:)?xf\b[^>]*?\bnumFmtId="(\d+)"', cells[0]) if cells else []
    kinds = {str(style): named[int(number)] for style, number in enumerate(numbers) if int(number) in named}
    found: dict[int, dict[tuple[int, int], str]] = {}
    if not kinds:
        return found
    wanted = re.compile(_CELL % "|".join(kinds).encode())
    for number, part in enumerate(_parts(archive)):
        found[number] = {
            (int(row), column_number(column.decode())): kinds[style.decode()]
            for column, row, style in wanted.findall(archive.read(part))
        }
    return found


def _kind_of_format(code: str) -> str | None:
    """How a format shows a number otherwise than plainly."""
    plain = re.sub(r"&quot;.*?&quot;|\\.|\[[^]]*\]", "", code).partition(";")[0]
    if "%" in plain:
        return PERCENT
    if re.search(r"[0#?]E[+-]", plain, re.IGNORECASE):
        return SCIENTIFIC
    return ZEROS if re.match(r"00", plain) else None


def column_number(letters: str) -> int:
    """1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
