"""Files that a page hands out for keeping."""

from __future__ import annotations

import io

from flask import Response, send_file


def attachment(data: bytes | str, name: str, mimetype: str) -> Response:
    """A response that a browser saves under a name, in any script (RFC 6266)."""
    content = data.encode() if isinstance(data, str) else data
    response = send_file(io.BytesIO(content), mimetype=mimetype, as_attachment=True, download_name=name)
    response.direct_passthrough = False
    response.set_data(content)
    # The usual answer to who may keep a page holds for its files as well.
    del response.headers["Cache-Control"]
    return response
