"""Layouts as data: what stands where on a label, and whether it would scan.

A layout is plain values (JSON, TOML), read by `Layout.parse` and given back by `Layout.plain`. `arrange` makes
one for any stock; `Layout.faults` tells what would keep a label from being read, and the nearest that would do.
Lengths are millimetres from the label's top left corner.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from qr.codes import PRINTED_LENGTH
from qr.fonts import CELL_EM
from qr.masks import MASKS
from qr.pins import PIN_DIGITS
from qr.stock import STOCKS, Stock, dots_per_mm
from qr.symbol import QUIET_ZONE_MODULES, Mask, SymbolForm

CONSTANT_FIELDS = (
    "product", "net_content", "lot", "produced", "best_before", "origin", "producer", "marks", "level", "call",
    "pin_call", "certificate",
)  # fmt: skip
"""Texts that are the same on all labels of a run."""
VARIABLE_FIELDS = {"code": PRINTED_LENGTH, "serial": 7, "pin": PIN_DIGITS, "sscc": 18}
"""What differs from label to label, with its length."""
MIN_MODULE_MM = 0.33
MIN_TEXT_MM = 1.9
SMALLEST_TEXT_MM = 1.5
MIN_CONTRAST = 0.55
"""Symbol contrast of grade B (ISO/IEC 15415): what a print may lose, it must first have."""
MOST_BOXES = 24
SMALL_LABEL_MM = 30.0
"""Height up to which the product's name leaves more room to the details."""
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")

Align = Literal["left", "centre", "right"]
Valign = Literal["top", "middle", "bottom"]


class LayoutInvalid(ValueError):
    """The values are no layout; says which and why."""


class SymbolTooLarge(LayoutInvalid):
    """The symbol can't stand on a stock in modules that scan."""


@dataclass(frozen=True, slots=True)
class SymbolPlace:
    """The symbol, without its quiet zone. ``module_mm`` is the side of a module."""

    x: float
    y: float
    module_mm: float
    quiet_modules: float = QUIET_ZONE_MODULES
    mask: Mask = "best"


@dataclass(frozen=True, slots=True)
class TextBox:
    """A box with one or more fields below one another. A variable field has its box for itself.

    ``size_mm`` is the size of the type; with ``shrink`` it is the largest, and the smallest is 1.9 mm.
    """

    fields: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float
    size_mm: float
    bold: bool = False
    align: Align = "left"
    valign: Valign = "top"
    shrink: bool = True
    framed: bool = False

    @property
    def variable(self) -> str | None:
        return self.fields[0] if self.fields[0] in VARIABLE_FIELDS else None


@dataclass(frozen=True, slots=True)
class LayoutRule:
    """A line, as a filled rectangle."""

    x: float
    y: float
    width: float
    height: float = 0.25


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a layout would not scan or can't be printed.

    ``code`` names the fault; ``facts`` are its numbers; ``proposal`` is the nearest value that would do.
    """

    code: str
    facts: dict[str, Any] = field(default_factory=dict)
    proposal: float | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    stock: str
    dpi: int
    symbol: SymbolPlace
    boxes: tuple[TextBox, ...]
    rules: tuple[LayoutRule, ...] = ()
    ink: str = "#000000"
    paper: str = "#ffffff"

    @property
    def paper_stock(self) -> Stock:
        return STOCKS[self.stock]

    @property
    def field_names(self) -> frozenset[str]:
        return frozenset(name for box in self.boxes for name in box.fields)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Layout:
        """A layout from plain values.

        :raises LayoutInvalid: for what is missing, unknown or of the wrong kind.
        """
        if not isinstance(values, Mapping):
            raise LayoutInvalid("a layout is a table of values")
        _only_known(cls, values, "layout")
        stock, dpi = values.get("stock"), values.get("dpi")
        if not isinstance(stock, str) or stock not in STOCKS:
            raise LayoutInvalid(f"stock: none is called {stock!r}")
        if dpi not in STOCKS[stock].dpi_choices:
            raise LayoutInvalid(f"dpi: {dpi!r} is none of {STOCKS[stock].dpi_choices}")
        boxes, rules = values.get("boxes"), values.get("rules", [])
        if not isinstance(boxes, list | tuple) or not isinstance(rules, list | tuple):
            raise LayoutInvalid("boxes and rules are lists")
        if len(boxes) > MOST_BOXES or len(rules) > MOST_BOXES:
            raise LayoutInvalid(f"boxes: at most {MOST_BOXES}")
        colours = {name: values.get(name, default) for name, default in (("ink", "#000000"), ("paper", "#ffffff"))}
        for name, colour in colours.items():
            if not isinstance(colour, str) or not _COLOUR.fullmatch(colour):
                raise LayoutInvalid(f"{name}: a colour such as #000000, not {colour!r}")
        return cls(
            stock,
            dpi,
            _symbol(values.get("symbol")),
            tuple(_box(box, number) for number, box in enumerate(boxes, 1)),
            tuple(_rule(rule, number) for number, rule in enumerate(rules, 1)),
            **colours,
        )

    def plain(self) -> dict[str, Any]:
        """The layout as values of JSON; `parse` reads them."""
        values = asdict(self)
        for box in values["boxes"]:
            box["fields"] = list(box["fields"])
        return {**values, "boxes": list(values["boxes"]), "rules": list(values["rules"])}

    def faults(self, form: SymbolForm) -> list[Fault]:
        """What would keep the label from scanning or being printed, none where it is fit."""
        return [*_module_faults(self), *_place_faults(self, form), *_contrast_faults(self), *_box_faults(self)]


def _only_known(kind: type, values: Mapping[str, Any], where: str) -> None:
    unknown = set(values) - {f.name for f in fields(kind)}
    if unknown:
        raise LayoutInvalid(f"{where}: {', '.join(sorted(map(str, unknown)))} is not known")


def _number(values: Mapping[str, Any], name: str, where: str, most: float = 300.0) -> float:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise LayoutInvalid(f"{where}.{name}: a number, not {value!r}")
    if not 0 <= value <= most:
        raise LayoutInvalid(f"{where}.{name}: {value} is not between 0 and {most:g}")
    return float(value)


def _choice(values: Mapping[str, Any], name: str, where: str, allowed: tuple[Any, ...], default: Any) -> Any:
    value = values.get(name, default)
    if value not in allowed or isinstance(value, bool) != isinstance(default, bool):
        raise LayoutInvalid(f"{where}.{name}: {value!r} is none of {', '.join(map(str, allowed))}")
    return value


def _symbol(values: Any) -> SymbolPlace:
    if not isinstance(values, Mapping):
        raise LayoutInvalid("symbol: where the QR code stands is missing")
    _only_known(SymbolPlace, values, "symbol")
    with_default = {"quiet_modules": QUIET_ZONE_MODULES, **values}
    x, y, module_mm, quiet = (
        _number(with_default, name, "symbol") for name in ("x", "y", "module_mm", "quiet_modules")
    )
    mask: Mask = _choice(values, "mask", "symbol", ("best", *MASKS), "best")
    return SymbolPlace(x, y, module_mm, quiet, mask)


def _box(values: Any, number: int) -> TextBox:
    where = f"boxes[{number}]"
    if not isinstance(values, Mapping):
        raise LayoutInvalid(f"{where}: a table of values")
    _only_known(TextBox, values, where)
    names = values.get("fields")
    if not isinstance(names, list | tuple) or not names:
        raise LayoutInvalid(f"{where}.fields: a list of field names")
    for name in names:
        if not isinstance(name, str) or (name not in CONSTANT_FIELDS and name not in VARIABLE_FIELDS):
            raise LayoutInvalid(f"{where}.fields: {name!r} is not a field")
    if len(names) > 1 and any(name in VARIABLE_FIELDS for name in names):
        raise LayoutInvalid(f"{where}.fields: {' '.join(VARIABLE_FIELDS)} have their box for themselves")
    x, y, width, height, size_mm = (_number(values, name, where) for name in ("x", "y", "width", "height", "size_mm"))
    return TextBox(
        tuple(names),
        x,
        y,
        width,
        height,
        size_mm,
        _choice(values, "bold", where, (True, False), False),
        _choice(values, "align", where, ("left", "centre", "right"), "left"),
        _choice(values, "valign", where, ("top", "middle", "bottom"), "top"),
        _choice(values, "shrink", where, (True, False), True),
        _choice(values, "framed", where, (True, False), False),
    )


def _rule(values: Any, number: int) -> LayoutRule:
    where = f"rules[{number}]"
    if not isinstance(values, Mapping):
        raise LayoutInvalid(f"{where}: a table of values")
    _only_known(LayoutRule, values, where)
    return LayoutRule(*(_number({"height": 0.25, **values}, name, where) for name in ("x", "y", "width", "height")))


def whole_dots(module_mm: float, dpi: int) -> int:
    """Printer dots of the nearest module that is a whole number of them and not too small to scan."""
    return max(math.ceil(MIN_MODULE_MM * dots_per_mm(dpi) - 1e-6), round(module_mm * dots_per_mm(dpi)))


def _module_faults(layout: Layout) -> Iterable[Fault]:
    module, scale = layout.symbol.module_mm, dots_per_mm(layout.dpi)
    dots = whole_dots(module, layout.dpi)
    proposal = round(dots / scale, 4)
    if module < MIN_MODULE_MM - 1e-6:
        yield Fault("module-too-small", {"module": round(module, 3), "least": MIN_MODULE_MM}, proposal)
    elif abs(module * scale - dots) > 0.02:
        facts = {"module": round(module, 3), "dots": round(module * scale, 2), "dpi": layout.dpi}
        yield Fault("module-not-whole-dots", facts, proposal)


def _place_faults(layout: Layout, form: SymbolForm) -> Iterable[Fault]:
    symbol, stock = layout.symbol, layout.paper_stock
    if symbol.quiet_modules < QUIET_ZONE_MODULES:
        yield Fault("quiet-zone-too-narrow", {"modules": symbol.quiet_modules}, float(QUIET_ZONE_MODULES))
    quiet = QUIET_ZONE_MODULES * symbol.module_mm
    side = form.size * symbol.module_mm
    left, top, right, bottom = symbol.x - quiet, symbol.y - quiet, symbol.x + side + quiet, symbol.y + side + quiet
    room = min(stock.label_width_mm, stock.label_height_mm)
    if side + 2 * quiet > room + 0.01:
        facts = {"side": round(side + 2 * quiet, 1), "room": room}
        fitting = math.floor(room / (form.size + 2 * QUIET_ZONE_MODULES) * dots_per_mm(layout.dpi))
        yield Fault("symbol-too-large", facts, round(fitting / dots_per_mm(layout.dpi), 4))
    elif min(left, top) < -0.01 or right > stock.label_width_mm + 0.01 or bottom > stock.label_height_mm + 0.01:
        yield Fault("quiet-zone-cut", {"quiet": round(quiet, 2)})
    printed: tuple[TextBox | LayoutRule, ...] = (*layout.boxes, *layout.rules)
    for box in printed:
        overlaps = box.x < right - 0.01 and box.x + box.width > left + 0.01
        if overlaps and box.y < bottom - 0.01 and box.y + box.height > top + 0.01:
            yield Fault("quiet-zone-covered", {"field": box.fields[0] if isinstance(box, TextBox) else "rule"})


def _contrast_faults(layout: Layout) -> Iterable[Fault]:
    contrast = _reflectance(layout.paper) - _reflectance(layout.ink)
    if contrast < MIN_CONTRAST:
        yield Fault("contrast-too-low", {"contrast": round(contrast * 100), "least": round(MIN_CONTRAST * 100)})


def _reflectance(colour: str) -> float:
    """The reflectance of a printed sRGB colour; red counts most, as many scanners see by red light."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    seen: float = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # A dark ink must be dark, and a light paper light, in both lights.
    return max(seen, linear[0]) if seen < 0.3 else min(seen, linear[0])


def _box_faults(layout: Layout) -> Iterable[Fault]:
    stock = layout.paper_stock
    if not {"code", "sscc"} & layout.field_names:
        yield Fault("code-missing")
    for box in layout.boxes:
        name = box.fields[0]
        if box.x + box.width > stock.label_width_mm + 0.01 or box.y + box.height > stock.label_height_mm + 0.01:
            yield Fault("box-off-label", {"field": name})
        if box.size_mm < SMALLEST_TEXT_MM:
            yield Fault("text-too-small", {"field": name, "size": box.size_mm}, SMALLEST_TEXT_MM)


def arrange(
    stock: Stock,
    form: SymbolForm,
    dpi: int | None = None,
    *,
    fields: Iterable[str] = ("product", "net_content", "lot", "produced", "best_before", "origin", "producer", "call"),
    pin: bool = False,
    sscc: bool = False,
    symbol_share: float = 0.6,
) -> Layout:
    """A layout for any stock: the symbol left, the product large beside it, details below, the code at the foot.

    The module is the largest whole number of printer dots that leaves room for the code below and for texts.

    :param symbol_share: of the width, at most.
    :raises SymbolTooLarge: where the symbol can't be made large enough to scan.
    """
    dpi = dpi or stock.dpi_choices[0]
    scale = dots_per_mm(dpi)
    inset, width, height = stock.inset_mm, stock.label_width_mm, stock.label_height_mm
    line = max(4.2, height / 8)
    foot = line * 1.8 if sscc else line
    modules = form.size + 2 * QUIET_ZONE_MODULES
    # The quiet zone may run into the inset: paper is white there too.
    reach = min(inset, QUIET_ZONE_MODULES * 0.9)
    room = min(height - 2 * inset - foot + reach, (width - inset) * symbol_share + reach)
    dots = math.floor(room / modules * scale + 1e-6)
    module = dots / scale
    if module < MIN_MODULE_MM - 1e-6:
        raise SymbolTooLarge(f"a symbol of {modules} modules is too large for {stock.name} at {dpi} dpi")
    quiet, side = QUIET_ZONE_MODULES * module, form.size * module
    rule_y = height - inset - foot
    x = max(inset, quiet)
    y = min(max(inset, quiet, (rule_y - side) / 2), rule_y - side - quiet)
    text_x = x + side + quiet
    text_width = width - inset - text_x
    names = [name for name in fields if name in CONSTANT_FIELDS]
    details = tuple(name for name in names if name not in {"product", "call"})
    text_bottom = rule_y - 0.4
    boxes = []
    if pin:
        pin_height = max(3.4, height / 10)
        text_bottom -= pin_height + 0.9
        half = text_width * 0.44
        pin_x, pin_y = text_x + half, text_bottom + 0.7
        pin_size = min(pin_height * 0.66, (text_width - half) * 0.86 / (PIN_DIGITS * CELL_EM))
        small = min(pin_height * 0.55, half / 4.2)
        boxes += [
            TextBox(("pin_call",), text_x, pin_y, half, pin_height, max(SMALLEST_TEXT_MM, small), valign="middle"),
            TextBox(
                ("pin",), pin_x, pin_y, text_width - half, pin_height, pin_size, True, "centre", "middle", framed=True
            ),
        ]
    largest = max(3.2, height / 15)
    if "product" in names:
        share = 0.28 if height <= SMALL_LABEL_MM else 0.34
        product_height = (text_bottom - inset) * (share if details else 1.0)
        boxes.append(
            TextBox(("product",), text_x, inset, text_width, product_height, largest * 1.5, True, valign="bottom")
        )
    else:
        product_height = 0.0
    if details:
        boxes.append(
            TextBox(details, text_x, inset + product_height, text_width, text_bottom - inset - product_height, largest)
        )
    call_width = line * 0.56 * 4.3 if "call" in names else 0.0
    code_width = width - 2 * inset - call_width - (1.0 if call_width else 0.0)
    code_size = min(line * 0.72, code_width / (PRINTED_LENGTH * CELL_EM))
    code_y = height - inset - line
    if sscc:
        sscc_size = min(line * 0.62, (width - 2 * inset) / (VARIABLE_FIELDS["sscc"] * CELL_EM))
        boxes.append(
            TextBox(("sscc",), inset, rule_y + 0.6, width - 2 * inset, foot - line, sscc_size, True, valign="middle")
        )
    boxes.append(TextBox(("code",), inset, code_y, code_width, line, code_size, True, valign="bottom"))
    if call_width:
        call_x = width - inset - call_width
        boxes.append(TextBox(("call",), call_x, code_y, call_width, line, line * 0.56, align="right", valign="bottom"))
    rule = LayoutRule(inset, rule_y + 0.2, width - 2 * inset)
    return Layout(stock.name, dpi, SymbolPlace(x, y, module), tuple(boxes), (rule,))
