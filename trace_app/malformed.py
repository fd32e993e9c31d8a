"""What Flask can't read is put right or refused before it: raw bytes in the query, zero bytes, a host that is not
ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from string import printable
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.sansio.utils import host_is_trusted

_ANSWER = b"400 Bad Request\n"


def refuse_malformed(inner: WSGIApplication, hosts: Sequence[str]) -> WSGIApplication:
    """A WSGI application that answers 400 to another's host or a zero byte, and leaves the rest to ``inner``.

    No text has a zero byte, and PostgreSQL takes none. Old browsers send a query as raw bytes; they are
    percent-encoded (RFC 3986, 2.5). A request without a host is HTTP/1.0's, and is answered.

    :param hosts: those that requests may name, without a port; ``.example.org`` stands for all below it.
    """
    ours = lru_cache(maxsize=256)(lambda host: host_is_trusted(host, hosts))

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "")
        query = environ.get("QUERY_STRING", "")
        zero = "\0" in environ.get("PATH_INFO", "") or "\0" in query or "%00" in query
        if not zero and (not host or ours(host)):
            if not query.isascii():
                environ["QUERY_STRING"] = quote(query.encode("latin-1"), safe=printable)
            return inner(environ, start_response)
        head = [("Content-Type", "text/plain"), ("Content-Length", str(len(_ANSWER))), ("Cache-Control", "no-store")]
        start_response("400 BAD REQUEST", head)
        return [_ANSWER if environ["REQUEST_METHOD"] != "HEAD" else b""]

    return application
