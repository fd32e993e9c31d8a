"""What stands where on a label.

`Stock` is the paper, `compose` sets a label's texts around its symbol and gives a `LabelArt`: symbol,
rules and lines of text with their places in millimetres from the label's top left corner. The PDF,
PNG and SVG writers draw the same art.
"""

from __future__ import annotations

from dataclasses import dataclass

from qr.codes import ALPHABET, format_code
from qr.fonts import BOLD, REGULAR, LabelFont, label_font
from qr.symbol import QUIET_ZONE_MODULES, SymbolForm

CODE_CHARACTERS = frozenset(ALPHABET + " ")
MIN_MODULE_MM = 0.33
MIN_TEXT_MM = 1.9
LARGEST_TEXT_MM = 3.2
LINE_SPACING = 1.22


@dataclass(frozen=True, slots=True)
class Stock:
    """Label paper. Lengths in millimetres; a roll is a page of one label."""

    name: str
    label_width_mm: float
    label_height_mm: float
    columns: int = 1
    rows: int = 1
    page_width_mm: float = 0.0
    page_height_mm: float = 0.0
    inset_mm: float = 1.5
    """Room left free inside the label's edge: office printers can't print to the sheet's edge."""

    @property
    def labels_per_page(self) -> int:
        return self.columns * self.rows

    @property
    def page_mm(self) -> tuple[float, float]:
        return self.page_width_mm or self.label_width_mm, self.page_height_mm or self.label_height_mm

    def place(self, position: int) -> tuple[float, float]:
        """Left and top edge of the label at ``position`` of the page, row by row."""
        page_width, page_height = self.page_mm
        row, column = divmod(position, self.columns)
        left = (page_width - self.columns * self.label_width_mm) / 2
        top = (page_height - self.rows * self.label_height_mm) / 2
        return left + column * self.label_width_mm, top + row * self.label_height_mm


STOCKS = {
    stock.name: stock
    for stock in (
        Stock("a4-3x8", 70.0, 37.0, 3, 8, 210.0, 297.0, inset_mm=4.0),
        Stock("roll-40x30", 40.0, 30.0, inset_mm=1.0),
        Stock("roll-50x30", 50.0, 30.0, inset_mm=1.0),
        Stock("roll-60x40", 60.0, 40.0),
        Stock("roll-70x50", 70.0, 50.0),
        Stock("roll-100x100", 100.0, 100.0, inset_mm=3.0),
    )
}


@dataclass(frozen=True, slots=True)
class LabelText:
    """The texts of a label, in the order in which they stand."""

    product: str
    net_content: str
    lot: str
    date: str
    origin: str
    producer: str
    call: str
    """What invites to scan, beside the printed code."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text; ``y`` is its baseline."""

    text: str
    x: float
    y: float
    size_mm: float
    weight: int = REGULAR


@dataclass(frozen=True, slots=True)
class Rule:
    x: float
    y: float
    width: float
    height: float


class LabelTextTooLong(ValueError):
    """A text does not fit its label even at the smallest legible size."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field} does not fit the label: {text}")
        self.field = field
        self.text = text


@dataclass(frozen=True, slots=True)
class LabelArt:
    """A composed label: the same for all labels of a run but for symbol and code."""

    width_mm: float
    height_mm: float
    symbol_x: float
    symbol_y: float
    module_mm: float
    symbol_modules: int
    lines: tuple[Line, ...]
    rules: tuple[Rule, ...]
    code_x: float
    code_y: float
    code_size_mm: float
    fonts: dict[int, LabelFont]

    def code_line(self, code: str) -> Line:
        return Line(printed_code(code), self.code_x, self.code_y, self.code_size_mm, BOLD)


def printed_code(code: str) -> str:
    """The code in groups, with wide gaps that survive a blurred print."""
    return format_code(code).replace(" ", "  ")


def compose(text: LabelText, stock: Stock, form: SymbolForm, dots_per_mm: float = 8.0) -> LabelArt:
    """Set a label.

    The module is the largest whole number of printer dots that leaves room for the printed code below
    and 40 % of the width for text.

    :param dots_per_mm: 8 for thermal printers of 203 dpi.
    :raises LabelTextTooLong: where a text does not fit, with the field's name.
    :raises MissingGlyph: for a character that the label font lacks.
    """
    everything = frozenset("".join(getattr(text, name) for name in LabelText.__slots__)) | CODE_CHARACTERS
    fonts = {weight: label_font(everything, weight) for weight in (REGULAR, BOLD)}
    inset = stock.inset_mm
    width, height = stock.label_width_mm, stock.label_height_mm
    code_height = 5.0 if height >= 40 else 4.2
    modules = form.size + 2 * QUIET_ZONE_MODULES
    # The quiet zone may run into the inset: paper is white there too.
    reach = min(inset, QUIET_ZONE_MODULES * 0.9)
    room = min(height - inset - code_height - 1.0 + reach, (width - inset) * 0.6 + reach)
    module = int(room / modules * dots_per_mm) / dots_per_mm
    if module < MIN_MODULE_MM:
        raise LabelTextTooLong("url", f"module {module:.2f} mm")
    quiet = QUIET_ZONE_MODULES * module
    symbol_x = max(inset, quiet)
    rule_y = height - inset - code_height
    symbol_y = max(inset, quiet, (rule_y - form.size * module) / 2)
    text_x = symbol_x + form.size * module + quiet
    text_width = width - inset - text_x
    largest = max(LARGEST_TEXT_MM, height / 20)
    block = _text_block(text, fonts, text_x, text_width, inset, rule_y, largest)
    code_size, call_size = code_height * 0.72, code_height * 0.56
    call_x = width - inset - fonts[REGULAR].width(text.call) * call_size
    code_width = fonts[BOLD].width(printed_code("M" * 13)) * code_size
    if inset + code_width > call_x - 1:
        code_size *= (call_x - 1 - inset) / code_width
    baseline = height - inset - code_height * 0.16
    return LabelArt(
        width_mm=width,
        height_mm=height,
        symbol_x=symbol_x,
        symbol_y=symbol_y,
        module_mm=module,
        symbol_modules=form.size,
        lines=(*block, Line(text.call, call_x, baseline, call_size)),
        rules=(Rule(inset, rule_y + 0.2, width - 2 * inset, 0.25),),
        code_x=inset,
        code_y=baseline,
        code_size_mm=code_size,
        fonts=fonts,
    )


# Field, weight, size in relation to the block's unit, lines it may take.
_BLOCK = (
    ("product", BOLD, 1.5, 2),
    ("net_content", REGULAR, 1.0, 1),
    ("lot", REGULAR, 1.0, 2),
    ("date", REGULAR, 1.0, 1),
    ("origin", REGULAR, 1.0, 2),
    ("producer", REGULAR, 1.0, 3),
)


def _text_block(
    text: LabelText, fonts: dict[int, LabelFont], x: float, width: float, top: float, bottom: float, largest: float
) -> list[Line]:
    """The lines beside the symbol at the largest size at which all fit."""
    unit = largest
    while True:
        lines: list[tuple[str, int, float]] = []
        tight = None
        for field, weight, scale, most in _BLOCK:
            value = getattr(text, field)
            if not value:
                continue
            for share, allowed in ((1.0, 1), (0.9, 1), (0.82, 1), (1.0, most), (0.9, most), (0.8, most), (0.7, most)):
                size = max(MIN_TEXT_MM, unit * scale * share)
                broken = _break(value, fonts[weight], size, width)
                if len(broken) <= allowed:
                    break
            else:
                tight = tight or field
            lines += [(line, weight, size) for line in broken]
        needed = sum(size * LINE_SPACING for _, _, size in lines)
        if tight is None and needed <= bottom - top:
            break
        if unit <= MIN_TEXT_MM:
            longest = tight or max((field for field, *_ in _BLOCK), key=lambda field: len(getattr(text, field)))
            raise LabelTextTooLong(longest, getattr(text, longest))
        unit = max(MIN_TEXT_MM, unit * 0.96)
    y = top + max(0.0, (bottom - top - needed) / 2)
    placed = []
    for line, weight, size in lines:
        placed.append(Line(line, x, y + size * 0.95, size, weight))
        y += size * LINE_SPACING
    return placed


def _break(value: str, font: LabelFont, size: float, width: float) -> list[str]:
    """Break a text into lines, between any two characters but within no number or Latin word that fits a line."""
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
    return [*lines, current] if current else lines


def _pieces(value: str) -> list[str]:
    pieces: list[str] = []
    for character in value:
        last = pieces[-1][-1] if pieces else " "
        if character.isascii() and character != " " and last.isascii() and last not in " -":
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces
