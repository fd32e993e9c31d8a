"""Tables as people hand them in: Excel workbooks and CSV in whatever encoding, as rows of text.

What can't be read is refused with what to do about it; nothing in a file is ever run or followed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta

from flask_babel import lazy_gettext as _

from media_store.confined import NoTurn, TookTooMuch
from media_store.workbooks import (
    Cell,
    HasMacros,
    HasPassword,
    Sheet,
    UnpacksTooLarge,
    UnreadableWorkbook,
    WorkbookTooLarge,
    is_workbook,
    sheets_of,
)
from trace_app.errors import Unprocessable
from trace_app.plain_text import without_unseen

MAX_FILE_MB = 20
_SEPARATOR = re.compile("sep=([,;\t])(?=\r?$)", re.IGNORECASE)
_WRAPPED = re.compile('="([^"]*)"')
MAX_ROWS = 50_000
"""The most rows that all sheets may have together."""
MAX_COLUMNS = 200
PLAIN_TEXTS = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
"""How XlsxWriter makes a workbook in which texts stay texts."""


class SheetProblem(Unprocessable):
    """A file is no table that can be read."""

    code = "not-a-table"
    title = _("“%(name)s”不是能读的表格。请上传 Excel 工作簿（.xlsx）或 CSV 文件。")


class SheetTooLarge(SheetProblem):
    code = "table-too-large"
    title = _("“%(name)s”太大：最多 %(most)s MB。请分成几个文件上传。")


class TooManyRows(SheetProblem):
    title = _(
        "“%(name)s”超过 %(most)s 行或 %(columns)s 列。请分成几个文件上传；"
        "如果看起来没有这么多，请删去表格右边和下面多余的行列，另存后再上传。"
    )


class TakesTooMuch(SheetTooLarge):
    code = "table-takes-too-much"
    title = _(
        "“%(name)s”打开后太大，读不下来。请删去表格右边和下面多余的行列，或只把要用的工作表另存为新文件，再上传。"
    )


class NoTurnYet(SheetProblem):
    code = "no-turn-yet"
    status = 503
    title = _("现在处理的表格太多，“%(name)s”还没有轮到。请过一会儿再上传一次。")


class MacrosInside(SheetProblem):
    title = _("“%(name)s”含有宏，不能上传。请在 Excel 里“另存为”不带宏的工作簿（.xlsx）。")


class PasswordInside(SheetProblem):
    title = _("“%(name)s”设了密码，打不开。请去掉密码后再上传。")


class PictureInstead(SheetProblem):
    title = _("“%(name)s”是图片，不是表格。请上传 Excel 工作簿（.xlsx）或 CSV 文件。")


class PdfInstead(SheetProblem):
    title = _("“%(name)s”是 PDF，不是表格。请上传 Excel 工作簿（.xlsx）或 CSV 文件。")


class UnknownEncoding(SheetProblem):
    title = _("“%(name)s”的文字编码认不出来。请另存为 UTF-8 或 GBK 编码的 CSV，或 Excel 工作簿。")


def read_tables(name: str, data: bytes) -> list[Sheet]:
    """The sheets of a workbook, or the one table of a CSV file.

    :param name: the file's, for messages.
    :raises SheetProblem:
    """
    if len(data) > MAX_FILE_MB * 1024 * 1024:
        raise SheetTooLarge(name=name, most=MAX_FILE_MB)
    if _is_picture(data):
        raise PictureInstead(name=name)
    if data.startswith(b"%PDF-"):
        raise PdfInstead(name=name)
    if is_workbook(data):
        return _read_workbook(name, data)
    return [Sheet(name, read_csv(name, data))]


def _is_picture(data: bytes) -> bool:
    """Whether the bytes begin as those of JPEG, PNG, GIF, WebP and what iPhones take do."""
    first = data[:12]
    return first.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8")) or first[8:] == b"WEBP" or first[4:8] == b"ftyp"


def _read_workbook(name: str, data: bytes) -> list[Sheet]:
    try:
        return sheets_of(data, MAX_ROWS, MAX_COLUMNS)
    except HasMacros as error:
        raise MacrosInside(name=name) from error
    except HasPassword as error:
        raise PasswordInside(name=name) from error
    except (UnpacksTooLarge, TookTooMuch) as error:
        raise TakesTooMuch(name=name) from error
    except WorkbookTooLarge as error:
        raise TooManyRows(name=name, most=MAX_ROWS, columns=MAX_COLUMNS) from error
    except NoTurn as error:
        raise NoTurnYet(name=name) from error
    except UnreadableWorkbook as error:
        raise SheetProblem(name=name) from error


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
    said = _SEPARATOR.match(first)
    if said:
        # Excel's own word for the sign between cells; its line stays, so that rows keep their numbers.
        text = text[said.end() :]
    delimiter = said[1] if said else max(",;\t", key=first.count)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if len(rows) == MAX_ROWS or len(row) > MAX_COLUMNS:
                raise TooManyRows(name=name, most=MAX_ROWS, columns=MAX_COLUMNS)
            rows.append(row)
    except csv.Error as error:
        raise SheetProblem(name=name) from error
    return rows


def cell_text(cell: Cell | None) -> str:
    """A cell as a person would type it into a form: 40, 12.5, 2026-09-15."""
    if isinstance(cell, str):
        return without_unseen(cell).strip()
    if isinstance(cell, float):
        # Excel shows 15 digits; what it keeps beyond is noise.
        return str(int(cell)) if cell == int(cell) and abs(cell) < 1e15 else repr(float(f"{cell:.15g}"))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    if cell is None:
        return ""
    return str(cell)


def unwrapped(text: str) -> str:
    """A number of someone else's without what exports put around it so that Excel leaves it alone: ="…", an apostrophe
    before it."""
    found = _WRAPPED.fullmatch(text)
    return (found[1] if found else text.removeprefix("'")).strip()


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
