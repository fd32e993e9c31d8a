"""What the page says of the single label: when it was first scanned, and how often."""

from __future__ import annotations

from datetime import UTC, datetime

from trace_app.clock import local

LINE_BYTES = 96
"""UTF-8 bytes of the line, filled up with spaces: pages are compressed once, with room for this much."""
MANY = 20
"""Scans of one item from which on the page explains what that can mean."""
HIDDEN, SHOWN = b"hidden", b"      "
"""Whether the page's explanation of many scans is seen: an attribute or none, of one length."""
_MOST = 9_999_999

_FIRST = {"zh": "本枚标签首次被扫，您是第一位查询者", "en": "First scan of this label: you are the first to look it up"}
_AGAIN = {
    "zh": "首次扫描 {first}，这是第 {scans} 次",
    "en": "First scanned {first}; this is scan no. {scans}",
}


def item_line(first_at: datetime | int | None, scans: int, language: str) -> bytes:
    """The line as it stands in the page.

    :param first_at: the first scan, as a moment or in Unix time; None before it.
    :param scans: scans before this one.
    """
    if first_at is None or not scans:
        text = _FIRST[language]
    else:
        moment = datetime.fromtimestamp(first_at, UTC) if isinstance(first_at, int) else first_at
        text = _AGAIN[language].format(first=f"{local(moment):%Y-%m-%d %H:%M}", scans=f"{min(scans + 1, _MOST):,}")
    return text.encode().ljust(LINE_BYTES)


def is_unusual(scans: int, unusual: bool | int | None) -> bool:
    """Whether the page explains what it can mean that a label is scanned so often, or in such a way."""
    return bool(unusual) or scans >= MANY
