"""Files on their way to slow clients: they must not take the threads that answer scans.

A thread of the web server is busy until the client has taken the last piece of an answer in pieces; a phone in the
hills takes minutes for a file. So small files are handed over whole, which frees the thread at once, and no more than
a few large ones are sent at a time by each worker.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, request
from flask_babel import lazy_gettext as _
from werkzeug.wsgi import ClosingIterator

from trace_app.error_pages import answer

WHOLE = 2 * 1024 * 1024
"""Bytes up to which a file is handed over whole."""
MOST = 4
"""Larger files that a worker sends at a time: half its threads (`serving.workers.THREADS`)."""
AGAIN_S = 30
"""Seconds after which a client may ask again."""
BUSY = _("现在下载大文件的人较多。请过半分钟再点一次下载。")


def init_app(app: Flask) -> None:
    sending = threading.BoundedSemaphore(MOST)

    def hand_over(response: Response) -> Response:
        if not response.is_streamed or request.method == "HEAD":
            return response
        pieces: Iterator[Any] = iter(response.response)
        begun: list[Any] = []
        read = 0
        for piece in pieces:
            begun.append(piece)
            read += len(piece)
            if read > WHOLE:
                break
        else:
            response.close()
            response.direct_passthrough = False
            response.set_data(b"".join(begun))
            return response
        if not sending.acquire(blocking=False):
            response.close()
            busy = answer(503, str(BUSY))
            busy.headers["Retry-After"] = str(AGAIN_S)
            return busy
        close = getattr(response.response, "close", lambda: None)
        response.response = ClosingIterator(itertools.chain(begun, pieces), [close, sending.release])
        return response

    app.after_request(hand_over)
