"""Setting a layout's texts: what every writer (PDF, PNG, SVG, ZPL, TSPL) draws.

`compose` turns a `Layout` and a `LabelText` to a `LabelArt`: symbol, rules and lines of text with their places in
millimetres from the label's top left corner, and the places of what differs from label to label.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any

from qr.fonts import BOLD, CELL_EM, CODE, REGULAR, LabelFont, code_font, label_font
from qr.layout import MIN_TEXT_MM, VARIABLE_FIELDS, Layout, LayoutInvalid, LayoutRule, TextBox, arrange
from qr.stock import Stock, dots_per_mm
from qr.symbol import SymbolForm

LINE_SPACING = 1.22
NEVER_FIRST = "）〕】》」』”’，。、；：！？·・)"
NEVER_LAST = "（〔【《「『“‘("
MOST_LINES = 3
"""Lines that one field may take."""
FRAME_MM = 0.2
MIN_VARIABLE_MM = 1.5
SYMBOL_SHARES = (0.6, 0.54, 0.48, 0.42)
"""Shares of the label's width that are tried for the symbol: the largest that leaves room for the texts is taken."""


@dataclass(frozen=True, slots=True)
class LabelText:
    """What a run's labels say, by field; what is empty is left out."""

    product: str = ""
    net_content: str = ""
    lot: str = ""
    produced: str = ""
    best_before: str = ""
    origin: str = ""
    producer: str = ""
    marks: str = ""
    """Geographical indication and certificates."""
    level: str = ""
    """What the label stands on where it is not an item: a case, a pallet."""
    call: str = ""
    """What invites to scan."""
    pin_call: str = ""
    """What invites to lift the scratch film."""
    certificate: str = ""
    """The words that make a label a certificate as well."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text; ``y`` is its baseline."""

    text: str
    x: float
    y: float
    size_mm: float
    weight: int = REGULAR


@dataclass(frozen=True, slots=True)
class VariableLine:
    """Where what differs from label to label stands, in the code font; ``y`` is its baseline.

    A cell of the font is a whole number of printer dots wide.
    """

    field: str
    x: float
    y: float
    size_mm: float

    @property
    def length(self) -> int:
        return VARIABLE_FIELDS[self.field]


class LabelTextTooLong(ValueError):
    """A text does not fit its box, even at the smallest legible size where it may shrink."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field} does not fit the label: {text}")
        self.field = field
        self.text = text


@dataclass(frozen=True, slots=True)
class LabelArt:
    """A composed label: the same for all labels of a run but for symbol and variable lines."""

    layout: Layout
    symbol_modules: int
    lines: tuple[Line, ...]
    variables: tuple[VariableLine, ...]
    fonts: dict[int, LabelFont]

    @property
    def width_mm(self) -> float:
        return self.layout.paper_stock.label_width_mm

    @property
    def height_mm(self) -> float:
        return self.layout.paper_stock.label_height_mm

    @property
    def rules(self) -> tuple[LayoutRule, ...]:
        """The layout's, and the frames of its boxes."""
        frames = (rule for box in self.layout.boxes if box.framed for rule in _frame(box))
        return (*self.layout.rules, *frames)

    @property
    def title(self) -> str:
        """What the labels are, for viewers of files: all that is the same on them."""
        return " · ".join(line.text for line in self.lines)

    def variable_line(self, variable: VariableLine, text: str) -> Line:
        return Line(text, variable.x, variable.y, variable.size_mm, CODE)


def compose(text: LabelText, layout: Layout, form: SymbolForm) -> LabelArt:
    """Set a label.

    :raises LabelTextTooLong: where a text does not fit, with the field's name.
    :raises MissingGlyph: for a character that the label font lacks.
    """
    shown = {f.name: getattr(text, f.name) for f in fields_of(LabelText)}
    weights = {BOLD if box.bold else REGULAR for box in layout.boxes if not box.variable}
    characters = frozenset("".join(shown[name] for box in layout.boxes for name in box.fields if name in shown))
    fonts = {weight: label_font(characters, weight) for weight in sorted(weights)} if characters else {}
    fonts[CODE] = code_font()
    lines: list[Line] = []
    variables: list[VariableLine] = []
    for box in layout.boxes:
        if box.variable:
            variables.append(_variable(box, layout.dpi))
        else:
            values = [(name, shown[name]) for name in box.fields if shown[name]]
            if values:
                lines += _set(values, box, fonts[BOLD if box.bold else REGULAR])
    return LabelArt(layout, form.size, tuple(lines), tuple(variables), fonts)


def arrange_for(text: LabelText, stock: Stock, form: SymbolForm, dpi: int | None = None, **wishes: Any) -> Layout:
    """`arrange` with the largest symbol that leaves room for these texts.

    :raises LabelTextTooLong, MissingGlyph, LayoutInvalid: where not even the smallest does.
    """
    refusal: ValueError | None = None
    for share in SYMBOL_SHARES:
        try:
            layout = arrange(stock, form, dpi, symbol_share=share, **wishes)
            compose(text, layout, form)
        except (LabelTextTooLong, LayoutInvalid) as error:
            refusal = refusal or error
        else:
            return layout
    raise refusal or LayoutInvalid("nothing was tried")


def _frame(box: TextBox) -> tuple[LayoutRule, ...]:
    across, down = box.width, box.height
    return (
        LayoutRule(box.x, box.y, across, FRAME_MM),
        LayoutRule(box.x, box.y + down - FRAME_MM, across, FRAME_MM),
        LayoutRule(box.x, box.y, FRAME_MM, down),
        LayoutRule(box.x + across - FRAME_MM, box.y, FRAME_MM, down),
    )


def _variable(box: TextBox, dpi: int) -> VariableLine:
    name, scale = box.fields[0], dots_per_mm(dpi)
    length = VARIABLE_FIELDS[name]
    fitting = min(box.size_mm, box.width / (length * CELL_EM), box.height / 0.8)
    if not box.shrink and fitting < box.size_mm - 1e-6:
        raise LabelTextTooLong(name, "0" * length)
    cell_dots = math.floor(fitting * CELL_EM * scale + 1e-6)
    size = cell_dots / scale / CELL_EM
    if size < MIN_VARIABLE_MM:
        raise LabelTextTooLong(name, "0" * length)
    width = cell_dots * length / scale
    x = box.x + {"left": 0.0, "centre": 0.5, "right": 1.0}[box.align] * (box.width - width)
    # Capitals and figures are 0.74 em high and have nothing below the baseline.
    top = box.y + {"top": 0.0, "middle": 0.5, "bottom": 1.0}[box.valign] * (box.height - size * 0.74)
    baseline = min(top + size * 0.74, box.y + box.height - (0.16 * size if box.valign == "bottom" else 0))
    return VariableLine(name, round(x * scale) / scale, round(baseline * scale) / scale, size)


def _set(values: list[tuple[str, str]], box: TextBox, font: LabelFont) -> list[Line]:
    """A box's lines at the largest size at which all fit."""
    least = min(MIN_TEXT_MM, box.size_mm) if box.shrink else box.size_mm
    size = box.size_mm
    while True:
        lines, tight = _lines_at(values, box, font, size, least)
        needed = sum(height * LINE_SPACING for _, height in lines)
        if tight is None and needed <= box.height + 0.01 + (lines[-1][1] * (LINE_SPACING - 1)):
            break
        if size <= least + 1e-9:
            field = tight or max(values, key=lambda value: len(value[1]))[0]
            raise LabelTextTooLong(field, dict(values)[field])
        size = max(least, size * 0.96)
    y = box.y + {"top": 0.0, "middle": 0.5, "bottom": 1.0}[box.valign] * max(0.0, box.height - needed)
    placed = []
    for line, height in lines:
        slack = box.width - font.width(line) * height
        x = box.x + {"left": 0.0, "centre": 0.5, "right": 1.0}[box.align] * slack
        placed.append(Line(line, x, y + height * 0.95, height, font.weight))
        y += height * LINE_SPACING
    return placed


def _lines_at(
    values: list[tuple[str, str]], box: TextBox, font: LabelFont, size: float, least: float
) -> tuple[list[tuple[str, float]], str | None]:
    """Lines with their sizes, and the field that takes too many. A line slightly too long is set slightly smaller."""
    lines: list[tuple[str, float]] = []
    tight = None
    shares = (
        ((1.0, 1), (0.92, 1), (0.85, 1), (1.0, MOST_LINES), (0.85, MOST_LINES)) if box.shrink else ((1.0, MOST_LINES),)
    )
    for field, value in values:
        for share, allowed in shares:
            height = max(least, size * share)
            broken = _break(value, font, height, box.width)
            if len(broken) <= allowed:
                break
        else:
            tight = tight or field
        lines += [(line, height) for line in broken]
    return lines, tight


def _break(value: str, font: LabelFont, size: float, width: float) -> list[str]:
    """Break a text into lines, between any two characters but within no number or Latin word that fits a line.

    No line ends with an opening bracket or begins with a closing one or a mark, and none has one character only.
    """
    lines, current = [], ""
    for piece in _pieces(value):
        if current and font.width(current + piece) * size > width:
            lines.append(current.rstrip())
            current = piece.lstrip()
        else:
            current += piece
        while font.width(current) * size > width and len(current) > 1:
            cut = len(current) - 1
            while cut > 1 and font.width(current[:cut]) * size > width:
                cut -= 1
            lines.append(current[:cut])
            current = current[cut:]
    if not current:
        return lines
    if lines and len(current) == 1 and len(lines[-1]) > 2 and not lines[-1][-1].isascii():
        lines[-1], current = lines[-1][:-1], lines[-1][-1] + current
    return [*lines, current]


def _pieces(value: str) -> list[str]:
    """What is not broken apart."""
    pieces: list[str] = []
    for character in value:
        last = pieces[-1][-1] if pieces else " "
        latin = character.isascii() and character != " " and last.isascii() and last not in " -"
        if pieces and (latin or character in NEVER_FIRST or last in NEVER_LAST):
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces
