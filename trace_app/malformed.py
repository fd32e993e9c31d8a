"""What Flask can't read is put right or refused before it: raw bytes in the query, zero bytes, an impossible host."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from string import printable
from typing import Any
from urllib.parse import quote

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_LABEL = r"(?!xn--)[A-Za-z0-9_-]{1,63}|xn--[A-Za-z0-9-]{1,59}"
_HOST = re.compile(rf"(?:(?:(?:{_LABEL})\.)*(?:{_LABEL})\.?|\[[0-9A-Fa-f:.]{{2,45}}\])(?::\d{{1,5}})?")
_ANSWER = b"400 Bad Request\n"


def refuse_malformed(inner: Application) -> Application:
    """A WSGI application that answers 400 to an impossible host or a zero byte, and leaves the rest to ``inner``.

    No text has a zero byte, and PostgreSQL takes none. Old browsers send a query as raw bytes; they are percent-encoded (RFC 3986, 2.5).
    """

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "")
        query = environ.get("QUERY_STRING", "")
        zero = "\0" in environ.get("PATH_INFO", "") or "\0" in query or "%00" in query
        if not zero and (not host or _HOST.fullmatch(host)):
            if not query.isascii():
                environ["QUERY_STRING"] = quote(query.encode("latin-1"), safe=printable)
            return inner(environ, start_response)
        head = [("Content-Type", "text/plain"), ("Content-Length", str(len(_ANSWER))), ("Cache-Control", "no-store")]
        start_response("400 BAD REQUEST", head)
        return [_ANSWER if environ["REQUEST_METHOD"] != "HEAD" else b""]

    return application
