"""Rendered trace pages, kept in the process for as long as the batch's version stands.

A page is the same for all labels of a batch but for the code, so it is rendered once for each language with
a mark where the code goes. The version is read anew for every scan, before anything else, so that no page
outlives a recall: what is rendered from later reads can only be newer than the version it is kept under.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import NamedTuple

from qr.codes import format_code

MARK = "\ue000code\ue001"
"""Stands where the code goes. Forms let no character of private use in, so no entry can look like it."""
PRINTED_MARK = "\ue000printed\ue001"
"""Stands where the code goes as it is printed."""


class KeptPage(NamedTuple):
    version: Hashable
    text: str


class TracePages:
    """A bounded store of pages, the longest unused of which goes first. Threads may share it.

    :param most: pages kept; one takes 10 to 20 KB.
    """

    def __init__(self, most: int = 2000) -> None:
        self._most = most
        self._pages: OrderedDict[tuple[int, str], KeptPage] = OrderedDict()
        self._lock = Lock()

    def page(self, batch_id: int, version: Hashable, language: str, code: str, render: Callable[[], str]) -> str:
        """The page of a label.

        :param render: makes the page of the batch with `MARK` and `PRINTED_MARK` for the code.
        """
        key = batch_id, language
        with self._lock:
            kept = self._pages.get(key)
            if kept is not None:
                self._pages.move_to_end(key)
        if kept is None or kept.version != version:
            kept = KeptPage(version, render())
            with self._lock:
                self._pages[key] = kept
                while len(self._pages) > self._most:
                    self._pages.popitem(last=False)
        return kept.text.replace(MARK, code).replace(PRINTED_MARK, format_code(code))
