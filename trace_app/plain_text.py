"""Text that comes in, without what nobody sees: control and direction characters, private use, lone surrogates.

All that a browser or a program sends goes through here before any view looks at it, and so do the cells of tables. The
kept trace pages rest on it: their marks are of private use (`trace_app.scanning.pages`).
"""

from __future__ import annotations

import unicodedata
from functools import cached_property
from typing import Any

from flask import Flask, Request
from werkzeug.datastructures import MultiDict

_UNSEEN = {"Cc", "Cs", "Cf", "Co"}
"""General categories of Unicode: controls, surrogates, formats, private use."""
SECRETS = {"password", "current", "new", "again"}
"""Fields of which nothing is taken out: a password is what was typed."""


def without_unseen(text: str) -> str:
    """The text without characters that nobody sees, but for ends of lines and tabs."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c for c in text if c in "\n\r\t" or not (unicodedata.category(c) in _UNSEEN or _is_none(c)))


_HALF_WIDTH = {0xFF01 + n: 0x21 + n for n in range(94)} | dict.fromkeys(map(ord, "\u3000\u00a0\u2009\u202f"), " ")
_HALF_WIDTH |= {ord("\u2212"): "-", ord("℃"): "°C", ord("㎡"): "m2", ord("㎏"): "kg", ord("㎎"): "mg", ord("㎜"): "mm"}
_HALF_WIDTH |= {ord("㎝"): "cm", ord("㏄"): "mL", ord("﹪"): "%"}


def half_width(text: str) -> str:
    """Text with plain digits, letters and signs for full-width ones, and nothing else changed: Unicode's own
    normalisation makes 52 of 5² and 1 of ①."""
    return text.translate(_HALF_WIDTH)


def _is_none(character: str) -> bool:
    """Whether it is none of Unicode's characters for ever, which XML does not take either."""
    point = ord(character)
    return point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF


class PlainRequest(Request):
    """A request of which all text is plain."""

    def _load_form_data(self) -> None:
        if "form" in self.__dict__:
            return
        super()._load_form_data()
        pairs = self.__dict__["form"].items(multi=True)
        self.__dict__["form"] = self.parameter_storage_class(
            [(name, text if name in SECRETS else without_unseen(text)) for name, text in pairs]
        )

    @cached_property
    def args(self) -> MultiDict[str, str]:
        pairs = super().args.items(multi=True)
        return self.parameter_storage_class([(name, without_unseen(text)) for name, text in pairs])

    def get_json(self, *arguments: Any, **named: Any) -> Any:
        return _plain(super().get_json(*arguments, **named))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return without_unseen(value)
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value


def init_app(app: Flask) -> None:
    app.request_class = PlainRequest
