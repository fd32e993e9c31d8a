"""Layouts: reading them, what would not scan, and what does not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qr.art import LabelText, LabelTextTooLong, arrange_for, compose
from qr.fonts import CELL_EM, MissingGlyph
from qr.layout import MIN_MODULE_MM, Layout, LayoutInvalid, SymbolTooLarge, arrange
from qr.stock import STOCKS, dots_per_mm
from qr.symbol import QUIET_ZONE_MODULES, SymbolForm
from tests.qr.samples import FAMILY, TEXT

FORM = FAMILY.form


def _layout(**changes: Any) -> dict[str, Any]:
    values = arrange(STOCKS["roll-60x40"], FORM).plain()
    for path, value in changes.items():
        where = values
        *parents, last = path.split("__")
        for name in parents:
            where = where[int(name) if name.isdigit() else name]
        where[last] = value
    return values


def _faults(**changes: Any) -> dict[str, float | None]:
    return {fault.code: fault.proposal for fault in Layout.parse(_layout(**changes)).faults(FORM)}


@pytest.mark.parametrize("pin", [False, True])
@pytest.mark.parametrize(("stock", "dpi"), [(name, dpi) for name, s in STOCKS.items() for dpi in s.dpi_choices])
def test_every_stock_has_a_layout_that_scans(stock: str, dpi: int, pin: bool) -> None:
    layout = arrange_for(TEXT, STOCKS[stock], FORM, dpi, pin=pin)
    assert layout.faults(FORM) == []
    assert Layout.parse(layout.plain()) == layout
    module = layout.symbol.module_mm
    assert module >= MIN_MODULE_MM - 1e-6
    assert abs(module * dots_per_mm(dpi) - round(module * dots_per_mm(dpi))) < 1e-6
    art = compose(TEXT, layout, FORM)
    quiet = QUIET_ZONE_MODULES * module
    right, bottom = layout.symbol.x + FORM.size * module + quiet, layout.symbol.y + FORM.size * module + quiet
    for line in art.lines:
        assert line.x >= right - 0.001 or line.y - line.size_mm * 0.75 >= bottom - 0.001
        assert line.x + art.fonts[line.weight].width(line.text) * line.size_mm <= art.width_mm - 0.5
        assert line.y <= art.height_mm - 0.5
    for variable in art.variables:
        cell = variable.size_mm * CELL_EM * dots_per_mm(dpi)
        assert abs(cell - round(cell)) < 1e-6


class TestWhatWouldNotScan:
    def test_a_module_under_a_third_of_a_millimetre(self) -> None:
        assert _faults(symbol__module_mm=0.3)["module-too-small"] == pytest.approx(3 / dots_per_mm(203), abs=1e-3)

    def test_a_module_that_is_no_whole_number_of_dots(self) -> None:
        assert _faults(symbol__module_mm=0.45)["module-not-whole-dots"] == pytest.approx(4 / dots_per_mm(203), abs=1e-3)
        assert "module-not-whole-dots" not in _faults(symbol__module_mm=0.5)

    def test_a_quiet_zone_under_four_modules(self) -> None:
        assert _faults(symbol__quiet_modules=3)["quiet-zone-too-narrow"] == 4

    def test_a_quiet_zone_over_the_labels_edge(self) -> None:
        assert "quiet-zone-cut" in _faults(symbol__x=1.0)

    def test_a_text_in_the_quiet_zone(self) -> None:
        assert "quiet-zone-covered" in _faults(boxes__0__x=20.0)

    def test_a_symbol_larger_than_the_label(self) -> None:
        proposal = _faults(symbol__module_mm=1.5)["symbol-too-large"]
        assert proposal == pytest.approx(1.2, abs=0.1)

    @pytest.mark.parametrize(
        ("ink", "paper", "fit"),
        [
            ("#000000", "#ffffff", True),
            ("#0b3d2a", "#fdf6e3", True),
            ("#777777", "#ffffff", True),
            ("#bbbbbb", "#ffffff", False),
            ("#ffffff", "#000000", False),
            ("#000000", "#5a3a1a", False),
            # Red on white is dark to the eye and light to a scanner's red light.
            ("#ff0000", "#ffffff", False),
            ("#000000", "#0000ff", False),
        ],
    )
    def test_too_little_contrast(self, ink: str, paper: str, fit: bool) -> None:
        assert ("contrast-too-low" not in _faults(ink=ink, paper=paper)) is fit

    def test_a_label_without_a_code_to_type(self) -> None:
        values = _layout()
        values["boxes"] = [box for box in values["boxes"] if box["fields"] != ["code"]]
        assert [fault.code for fault in Layout.parse(values).faults(FORM)] == ["code-missing"]

    def test_a_box_over_the_edge_and_letters_too_small_to_read(self) -> None:
        assert "box-off-label" in _faults(boxes__0__width=60.0)
        assert _faults(boxes__1__size_mm=1.0)["text-too-small"] == 1.5


class TestWhatIsNoLayout:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"stock": "napkin"}, "stock"),
            ({"dpi": 72}, "dpi"),
            ({"symbol": None}, "symbol"),
            ({"symbol__module_mm": "wide"}, r"symbol\.module_mm"),
            ({"symbol__x": -1}, r"symbol\.x"),
            ({"symbol__mask": 9}, r"symbol\.mask"),
            ({"symbol__mask": True}, r"symbol\.mask"),
            ({"boxes": "all"}, "boxes"),
            ({"boxes__0__fields": []}, r"boxes\[1\]\.fields"),
            ({"boxes__0__fields": ["price"]}, "price"),
            ({"boxes__1__fields": ["lot", "code"]}, "for themselves"),
            ({"boxes__0__align": "diagonal"}, "align"),
            ({"boxes__0__bold": "yes"}, "bold"),
            ({"boxes__0__colour": "red"}, "colour"),
            ({"rules": [{"x": 1}]}, r"rules\[1\]"),
            ({"ink": "black"}, "ink"),
            ({"symbol__x": float("nan")}, r"symbol\.x"),
            ({"symbol__x": 1e9}, r"symbol\.x"),
            ({"extra": 1}, "extra"),
        ],
    )
    def test_it_says_which_value_is_wrong(self, change: dict[str, Any], said: str) -> None:
        with pytest.raises(LayoutInvalid, match=said):
            Layout.parse(_layout(**change))

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["stock", "dpi", "symbol", "boxes", "x", "fields"]), inner)
            ),
            max_leaves=12,
        )
    )
    def test_no_value_does_worse_than_be_refused(self, values: Any) -> None:
        with pytest.raises(LayoutInvalid):
            Layout.parse(values)


class TestTexts:
    def test_a_name_that_fits_no_label_is_refused_by_its_field(self) -> None:
        text = replace(TEXT, producer="很长的名称" * 40)
        with pytest.raises(LabelTextTooLong) as refused:
            arrange_for(text, STOCKS["roll-60x40"], FORM)
        assert refused.value.field == "producer"

    def test_a_text_shrinks_only_where_it_may(self) -> None:
        values = _layout(boxes__0__shrink=False)
        layout = Layout.parse(values)
        assert layout.boxes[0].fields == ("product",)
        compose(TEXT, layout, FORM)
        long = replace(TEXT, product="罗平县板桥镇高山生态种植小黄姜礼盒装特级")
        with pytest.raises(LabelTextTooLong) as refused:
            compose(long, layout, FORM)
        assert refused.value.field == "product"
        compose(long, Layout.parse(_layout()), FORM)

    def test_a_code_box_too_narrow_for_its_code_is_refused(self) -> None:
        layout = Layout.parse(_layout())
        boxes = tuple(replace(box, width=10.0) if box.variable else box for box in layout.boxes)
        with pytest.raises(LabelTextTooLong) as refused:
            compose(TEXT, replace(layout, boxes=boxes), FORM)
        assert refused.value.field == "code"

    def test_a_character_that_the_font_lacks_is_named(self) -> None:
        with pytest.raises(MissingGlyph) as refused:
            arrange_for(replace(TEXT, product="姜\U0001f600"), STOCKS["roll-60x40"], FORM)
        assert refused.value.character == "\U0001f600"

    def test_a_number_is_not_broken_where_it_fits_a_line(self) -> None:
        art = compose(TEXT, arrange_for(TEXT, STOCKS["roll-40x30"], FORM), FORM)
        assert any("LP-J-0417" in line.text for line in art.lines)

    def test_lines_break_where_chinese_may_be_broken(self) -> None:
        text = replace(TEXT, product="宣威火腿（三年陈）", producer="示例·板桥姜业专业合作社联社")
        for stock in STOCKS.values():
            lines = compose(text, arrange_for(text, stock, FORM), FORM).lines
            assert not any(line.text.endswith("（") or line.text.startswith(("）", "·")) for line in lines)
            assert all(len(line.text) > 1 for line in lines)

    def test_what_is_empty_takes_no_room(self) -> None:
        bare = LabelText(product="蜂蜜")
        art = compose(bare, arrange_for(bare, STOCKS["roll-60x40"], FORM), FORM)
        assert [line.text for line in art.lines] == ["蜂蜜"]


def test_a_long_address_takes_a_larger_symbol_or_is_refused_where_that_is_too_large() -> None:
    assert arrange(STOCKS["roll-40x30"], SymbolForm(4, "M")).faults(SymbolForm(4, "M")) == []
    with pytest.raises(LayoutInvalid, match="too large"):
        arrange(STOCKS["roll-40x30"], SymbolForm(10, "M"), symbol_share=0.5)


@pytest.mark.parametrize("stock", sorted(STOCKS))
@pytest.mark.parametrize("share", [0.3, 0.45, 0.6])
def test_a_symbol_takes_no_more_than_its_share_of_the_width(stock: str, share: float) -> None:
    paper = STOCKS[stock]
    try:
        layout = arrange(paper, FORM, symbol_share=share)
    except SymbolTooLarge:
        return
    side = (FORM.size + 2 * QUIET_ZONE_MODULES) * layout.symbol.module_mm
    reach = min(paper.inset_mm, QUIET_ZONE_MODULES * 0.9)
    assert side <= (paper.label_width_mm - paper.inset_mm) * share + reach + 0.001
    assert side <= paper.label_height_mm - 2 * paper.inset_mm + reach
