"""Codes and URLs as CSV, for printers outside the house."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from qr.art import LabelArt
from qr.labels import Labels, Progress, for_each

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Excel takes a file without the mark for another encoding."""


def write_csv(out: BinaryIO, art: LabelArt, labels: Labels, *, progress: Progress = lambda done: None) -> None:
    """A row for each label: serial number, code, URL, and PIN or SSCC where the layout shows it."""
    extra = [line.field for line in art.variables if line.field in {"pin", "sscc"}]
    out.write(BYTE_ORDER_MARK + ",".join(["serial", "code", "url", *extra]).encode() + b"\r\n")
    done = 0
    for chunk in labels.chunks(frozenset({"serial", *extra}), symbols=False):
        count = len(chunk.codes)
        suffix = chunk.fields["sscc"] if labels.symbol_is_sscc else chunk.codes
        url = [for_each(count, labels.family.prefix.encode()), suffix]
        columns = [[chunk.fields["serial"]], [chunk.codes], url, *([chunk.fields[name]] for name in extra)]
        comma, end = for_each(count, b","), for_each(count, b"\r\n")
        parts = [part for column in columns for part in (*column, comma)]
        out.write(np.concatenate([*parts[:-1], end], axis=1).tobytes())
        done += count
        progress(done)
