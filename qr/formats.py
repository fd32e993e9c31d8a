"""The kinds of file that labels are written to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Protocol

from qr.art import LabelArt
from qr.labels import Labels, Progress
from qr.pdf import write_pdf
from qr.table import write_csv
from qr.tspl import write_tspl
from qr.zpl import write_zpl


class Writer(Protocol):
    def __call__(self, out: BinaryIO, art: LabelArt, labels: Labels, *, progress: Progress = ...) -> None: ...


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of label file. ``thermal``: only a printer of rolls takes it."""

    name: str
    write: Writer
    content_type: str
    thermal: bool = False


FORMATS = {
    format_.name: format_
    for format_ in (
        Format("pdf", write_pdf, "application/pdf"),
        Format("tspl", write_tspl, "application/octet-stream", thermal=True),
        Format("zpl", write_zpl, "application/octet-stream", thermal=True),
        Format("csv", write_csv, "text/csv"),
    )
}
