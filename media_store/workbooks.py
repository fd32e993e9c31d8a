"""Excel workbooks that come in, as rows of cells. Nothing in them is ever run or followed."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from xml.etree import ElementTree

from media_store.confined import confined

MAX_UNPACKED_MB = 400
ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ANY_CELL = re.compile(rb"<(?:\w+:)?c[ />]")
_PLACED_CELL = re.compile(rb'<(?:\w+:)?c r="[A-Z]+\d+"(?: s="\d+")?(?: (?!s=)\w+="[^"]*")*/?>')
_PLAIN_CELL = re.compile(rb'<(?:\w+:)?c r="([A-Z]+)(\d+)"(?: s="(\d+)")?[^>]*>(<(?:\w+:)?f[ />])?')
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_VBA = "_VBA_PROJECT".encode("utf-16-le")
PERCENT, ZEROS, SCIENTIFIC = "percent", "zeros", "scientific"
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

    found: dict[str, tuple[frozenset[tuple[int, int]], dict[tuple[int, int], str] | None]] = {}
    try:
        if data.startswith(ZIP):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED_MB * 1024 * 1024:
                    raise UnpacksTooLarge
                if any("vbaproject" in member.lower() for member in archive.namelist()):
                    raise HasMacros
                styles = _telling_styles(archive)
                for name, part in _parts(archive).items():
                    content = archive.read(part)
                    if styles or b"<f" in content or b":f" in content:
                        found[name] = _marks(content, styles)
                    else:
                        found[name] = frozenset(), None if styles is None else {}
        elif _ENCRYPTED in data:
            raise HasPassword
        elif _VBA in data:
            raise HasMacros
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets, left = [], most_rows
        for name in workbook.sheet_names:
            sheet = workbook.get_sheet_by_name(name)
            if sheet.height > left or sheet.width > most_columns:
                raise WorkbookTooLarge
            left -= sheet.height
            rows = sheet.to_python(skip_empty_area=False)
            merged = sheet.merged_cell_ranges or ()
            sheets.append(Sheet(name, rows, *found.get(name, (frozenset(), None)), merged))
    except UnreadableWorkbook:
        raise
    except (
        python_calamine.CalamineError,
        zipfile.BadZipFile,
        OSError,
        ValueError,
        RuntimeError,
        KeyError,
        ElementTree.ParseError,
    ) as error:
        raise UnreadableWorkbook(str(error)) from None
    except BaseException as error:
        # What calamine can't cope with at all arrives as a panic.
        if type(error).__name__ != "PanicException":
            raise
        raise UnreadableWorkbook(str(error)) from None
    return sheets


sheets_of = confined(read_workbook, memory_mb=1024)
"""`read_workbook` in a process of its own."""


def _marks(
    content: bytes, styles: dict[str, str] | None
) -> tuple[frozenset[tuple[int, int]], dict[tuple[int, int], str] | None]:
    """The cells of a sheet that hold a formula, and those that show more than they hold, with how they do."""
    formulas, formats = set(), {}
    for place, style, is_formula in _cells(content):
        if is_formula:
            formulas.add(place)
        if styles and style in styles:
            formats[place] = styles[style]
    return frozenset(formulas), None if styles is None else formats


def _parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """Where each sheet lies, by its name: the order of the files tells nothing once a sheet was moved
    (ECMA-376, part 1, 18.2.19).
    """
    targets = {
        one.get("Id"): one.get("Target", "")
        for one in ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314 - see `sheets_of`
    }
    found, names = {}, set(archive.namelist())
    for sheet in ElementTree.fromstring(archive.read("xl/workbook.xml")).iter():  # noqa: S314
        if sheet.tag.rpartition("}")[2] != "sheet":
            continue
        links = [value for name, value in sheet.attrib.items() if name.rpartition("}")[2] == "id"]
        target = targets.get(links[0], "") if links else ""
        part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        if part in names:
            found[sheet.get("name", "")] = part
    return found


def _cells(content: bytes) -> Iterator[tuple[tuple[int, int], str, bool]]:
    """Place, style and whether there is a formula, of the cells of a sheet that have the one or the other.

    Almost every program writes a cell's place first; for the others all is read as XML, which takes some thirty times
    as long.
    """
    if len(_ANY_CELL.findall(content)) == len(_PLACED_CELL.findall(content)):
        for column, row, style, formula in _PLAIN_CELL.findall(content):
            yield (int(row), column_number(column.decode())), style.decode(), bool(formula)
        return
    row = column = 0
    for event, one in ElementTree.iterparse(io.BytesIO(content), events=("start", "end")):  # noqa: S314
        tag = one.tag.rpartition("}")[2]
        if event == "start" and tag == "row":
            row, column = int(one.get("r") or row + 1), 0
        elif event == "start" and tag == "c":
            place = re.fullmatch(r"([A-Z]+)(\d+)", one.get("r") or "")
            column = column_number(place[1]) if place else column + 1
            row = int(place[2]) if place else row
        elif event == "end" and tag == "c":
            yield (row, column), one.get("s") or "", any(part.tag.rpartition("}")[2] == "f" for part in one)
        elif event == "end" and tag == "row":
            one.clear()


def _telling_styles(archive: zipfile.ZipFile) -> dict[str, str] | None:
    """The styles of cells that show more than they hold; None where the file does not tell."""
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
    return {str(style): named[int(number)] for style, number in enumerate(numbers) if int(number) in named}


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
