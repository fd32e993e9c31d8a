"""Which cells of a workbook show more than they hold, whatever program wrote the file."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable

import pytest
import xlsxwriter

from media_store.workbooks import PERCENT, read_workbook


def _workbook(change: Callable[[str, str], str] = lambda _name, text: text) -> bytes:
    """Two sheets: on 甲 a percent cell at B2 and a formula at C3, on 乙 a percent cell at A4.

    :param change: makes of a part's name and text what another program would have written.
    """
    plain = io.BytesIO()
    with xlsxwriter.Workbook(plain, {"in_memory": True}) as book:
        percent = book.add_format({"num_format": "0.0%"})
        first, second = book.add_worksheet("甲"), book.add_worksheet("乙 & 丙")
        first.write(0, 0, "含量")
        first.write(1, 1, 0.18, percent)
        first.write_formula(2, 2, "=1+1", None, 2)
        second.write(0, 0, 1)
        second.write(3, 0, 0.5, percent)
    out = io.BytesIO()
    with zipfile.ZipFile(plain) as before, zipfile.ZipFile(out, "w") as after:
        for name in before.namelist():
            data = before.read(name)
            text = data.decode() if name.endswith((".xml", ".rels")) else None
            after.writestr(name, data if text is None else change(name, text))
    return out.getvalue()


def _sheets_swapped(name: str, text: str) -> str:
    if name != "xl/workbook.xml":
        return text
    one, two = re.findall(r"<sheet [^>]*/>", text)
    return text.replace(one, "@").replace(two, one).replace("@", two)


def _without_places(name: str, text: str) -> str:
    if not name.startswith("xl/worksheets/"):
        return text
    # B2 and C3 have cells before them that are empty.
    text = text.replace('<c r="B2"', '<c/><c r="B2"').replace('<c r="C3"', "<c/><c/><c")
    return re.sub(r'<c r="[A-Z]+\d+"', "<c", text)


def _styles_first(name: str, text: str) -> str:
    return re.sub(r'<c (r="[A-Z]+\d+") (s="\d+")', r"<c \2 \1", text) if name.startswith("xl/worksheets/") else text


def _with_prefixes(name: str, text: str) -> str:
    if not name.startswith("xl/worksheets/"):
        return text
    text = re.sub(r"<(/?)(\w)", r"<\1x:\2", text)
    return text.replace("xmlns=", "xmlns:x=", 1)


@pytest.mark.parametrize(
    "change", [lambda _name, text: text, _sheets_swapped, _without_places, _styles_first, _with_prefixes]
)
def test_percent_cells_and_formulas_are_found_where_they_are(change: Callable[[str, str], str]) -> None:
    sheets = {sheet.name: sheet for sheet in read_workbook(_workbook(change), 100, 20)}
    assert sheets.keys() == {"甲", "乙 & 丙"}
    first, second = sheets["甲"], sheets["乙 & 丙"]
    assert first.formats == {(2, 2): PERCENT}
    assert first.formulas == {(3, 3)}
    assert second.formats == {(4, 1): PERCENT}
    assert second.formulas == frozenset()
    assert first.rows[1][1] == 0.18
