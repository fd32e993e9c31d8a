"""What a code on a bottle says of a pesticide's registration (农业部公告第 2579 号).

A single pack has 32 digits: the sort of registration, the last six digits of its number, how it was made, the pack's
size, and 21 digits by chance. Most makers print them within an address. `bottle-code.js` reads the same in the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from trace_app.folding import without_spaces

_OF_A_PACK = re.compile(r"(?<![0-9])([123])([0-9]{6})[123][0-9]{24}(?![0-9])")
_PREFIXES = {"1": "PD", "2": "WP", "3": "LS"}


def means_number(code: str) -> Callable[[str], bool]:
    """A function that tells whether a registration number is meant by a code, or by the number as it was typed."""
    pack = _OF_A_PACK.search(code)
    if pack is None:
        typed = _plain(code)
        return lambda number: bool(typed) and _plain(number) == typed
    prefix, last = _PREFIXES[pack[1]], pack[2]
    return lambda number: _plain(number).startswith(prefix) and _plain(number).endswith(last)


def _plain(number: str) -> str:
    return without_spaces(number).replace("-", "")
