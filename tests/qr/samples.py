"""What the tests of labels share: a book of codes, texts, and labels of any stock."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from qr.art import LabelArt, LabelText, arrange_for, compose
from qr.codes import CODE_LENGTH, CodeBook
from qr.formats import FORMATS
from qr.labels import Labels, SsccRange
from qr.stock import STOCKS
from qr.symbol import symbol_family

PREFIX = "HTTPS://T.QJ.CN/"
TEXT = LabelText(
    product="罗平小黄姜",
    net_content="净重 500 克",
    lot="批次 LP-J-0417",
    produced="2026-11-06 采收",
    origin="产地 云南罗平县板桥镇",
    producer="示例·板桥姜业专业合作社",
    call="扫码溯源",
    pin_call="刮开验真",
)
BOOK = CodeBook({1: bytes(range(32))})
FAMILY = symbol_family(PREFIX, CODE_LENGTH, "best")
RUN = 7


def art_of(stock: str, text: LabelText = TEXT, dpi: int | None = None, **wishes: Any) -> LabelArt:
    return compose(text, arrange_for(text, STOCKS[stock], FAMILY.form, dpi, **wishes), FAMILY.form)


def labels_of(count: int, first: int = 0, **facts: Any) -> Labels:
    return Labels(FAMILY, BOOK, 1, RUN, first, count, **facts)


def containers(count: int, *, in_symbol: bool = False) -> Labels:
    family = symbol_family(PREFIX + "00/", 18, "best") if in_symbol else FAMILY
    return Labels(family, BOOK, 1, RUN, 0, count, sscc=SsccRange("06901234", 41), symbol_is_sscc=in_symbol)


def file_of(format_name: str, art: LabelArt, labels: Labels) -> bytes:
    out = io.BytesIO()
    FORMATS[format_name].write(out, art, labels)
    return out.getvalue()


def urls(count: int, first: int = 0) -> list[str]:
    return [PREFIX + BOOK.code(RUN, index) for index in range(first, first + count)]


def grey(image: Any) -> np.ndarray:
    return np.asarray(image.convert("L"))
