"""Label paper: rolls for thermal printers, self-adhesive A4 sheets for office printers."""

from __future__ import annotations

from dataclasses import dataclass

MM_PER_INCH = 25.4
ROLL_DPI = (203, 300)
SHEET_DPI = (600, 300, 1200)


@dataclass(frozen=True, slots=True)
class Stock:
    """Label paper. Lengths in millimetres; a roll is a page of one label. Labels stand in the middle of a sheet."""

    name: str
    label_width_mm: float
    label_height_mm: float
    columns: int = 1
    rows: int = 1
    page_width_mm: float = 0.0
    page_height_mm: float = 0.0
    column_gap_mm: float = 0.0
    inset_mm: float = 1.5
    """Room left free inside the label's edge: office printers can't print to the sheet's edge."""
    products: str = ""
    """What such paper is sold as."""

    @property
    def is_roll(self) -> bool:
        return self.labels_per_page == 1

    @property
    def dpi_choices(self) -> tuple[int, ...]:
        """Resolutions of the printers that take this paper, the most common first."""
        return ROLL_DPI if self.is_roll else SHEET_DPI

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
        pitch = self.label_width_mm + self.column_gap_mm
        left = (page_width - self.columns * pitch + self.column_gap_mm) / 2
        top = (page_height - self.rows * self.label_height_mm) / 2
        return left + column * pitch, top + row * self.label_height_mm


def _sheet(
    name: str, width: float, height: float, columns: int, rows: int, products: str, gap: float = 0.0, inset: float = 2.0
) -> Stock:
    return Stock(name, width, height, columns, rows, 210.0, 297.0, gap, inset, products)


STOCKS = {
    stock.name: stock
    for stock in (
        Stock("roll-40x30", 40.0, 30.0, inset_mm=1.0),
        Stock("roll-50x30", 50.0, 30.0, inset_mm=1.0),
        Stock("roll-60x40", 60.0, 40.0),
        Stock("roll-70x50", 70.0, 50.0),
        Stock("roll-100x100", 100.0, 100.0, inset_mm=3.0),
        # Sheets cut without margins: what lies near the sheet's edge is not printed by every printer.
        _sheet("a4-3x8", 70.0, 37.0, 3, 8, "Deli 24, Avery 3474", inset=4.0),
        _sheet("a4-3x7", 70.0, 42.3, 3, 7, "Deli 21, Avery 3652", inset=4.0),
        _sheet("a4-2x5", 105.0, 57.0, 2, 5, "Deli 10, Avery 3425", inset=5.0),
        _sheet("a4-2x4", 105.0, 74.0, 2, 4, "Deli 8, Avery 3427", inset=5.0),
        # Sheets with margins and rounded labels.
        _sheet("a4-l7159", 63.5, 33.9, 3, 8, "Avery L7159", gap=2.5),
        _sheet("a4-l7160", 63.5, 38.1, 3, 7, "Avery L7160", gap=2.5),
        _sheet("a4-l7161", 63.5, 46.6, 3, 6, "Avery L7161", gap=2.5),
        _sheet("a4-l7163", 99.1, 38.1, 2, 7, "Avery L7163", gap=2.5),
        _sheet("a4-l7165", 99.1, 67.7, 2, 4, "Avery L7165", gap=2.5),
    )
}


def dots_per_mm(dpi: int) -> float:
    return dpi / MM_PER_INCH
