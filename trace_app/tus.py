"""tus 1.0 as the platform speaks it, for films and photos that come in parts.

There is the core with creation, termination and checksum (https://tus.io/protocols/resumable-upload). What goes
wrong is said in plain text, which the page shows.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator
from functools import wraps
from typing import IO, BinaryIO, ParamSpec

from flask import Response, request
from flask_babel import lazy_gettext as _
from werkzeug.exceptions import ClientDisconnected

from trace_app.errors import Problem

P = ParamSpec("P")
VERSION = "1.0.0"
EXTENSIONS = "creation,termination,checksum"
PART_TYPE = "application/offset+octet-stream"
DIGESTS = {"sha1", "sha256"}
_PIECE = 64 * 1024


class PartDiffers(Problem):
    """A part is not what its sender says that it is: it was changed on its way (tus calls that 460)."""

    status = 460
    title = _("这一部分在路上损坏了，请再传一次。")


class OffsetDiffers(Problem):
    """A part does not begin where the last one ended: another one came, or this one a second time."""

    title = _("这一部分已经收到过，请接着传后面的部分。")


def spoken(view: Callable[P, Response]) -> Callable[P, Response]:
    """Speak this version of the protocol and no other, and say in plain text what is wrong."""

    @wraps(view)
    def answer(*arguments: P.args, **named: P.kwargs) -> Response:
        if request.headers.get("Tus-Resumable") != VERSION:
            response = Response(status=412, headers={"Tus-Version": VERSION})
        else:
            try:
                response = view(*arguments, **named)
            except Problem as problem:
                # To tus a conflict is an offset that differs: its clients ask for it and send again, and again.
                is_final = problem.status == 409 and not isinstance(problem, OffsetDiffers)
                status = 422 if is_final else problem.status
                response = Response(problem.message, status=status, mimetype="text/plain")
        response.headers |= {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}
        return response

    return answer


def anything(_data: bytes) -> bool:
    """What is said of a part that came without a digest."""
    return True


def digest_is(algorithm: str, digest: bytes) -> Callable[[bytes], bool]:
    """Whether a part has the digest that came with it."""
    return lambda data: hashlib.new(algorithm, data, usedforsecurity=False).digest() == digest


def told_digest() -> Callable[[bytes], bool] | None:
    """Whether a part is what the request says of it; None where it speaks of a digest that isn't known."""
    checksum = request.headers.get("Upload-Checksum")
    if not checksum:
        return anything
    algorithm, _space, digest = checksum.partition(" ")
    return digest_is(algorithm, _decoded(digest) or b"") if algorithm in DIGESTS else None


def number_in(header: str) -> int | None:
    text = request.headers.get(header, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def told_metadata() -> dict[str, str]:
    """What the sender says of a file: pairs of a key and a value in Base64."""
    told = {}
    for pair in request.headers.get("Upload-Metadata", "").split(","):
        key, _space, value = pair.strip().partition(" ")
        told[key] = (_decoded(value) or b"").decode("utf-8", "ignore")
    return told


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def as_it_comes(body: BinaryIO | IO[bytes], most: int) -> bytes:
    """What comes of a body until it ends or breaks off, and no more than this."""
    return b"".join(_pieces(body, most))


def _pieces(body: BinaryIO | IO[bytes], most: int) -> Iterator[bytes]:
    while most > 0:
        try:
            piece = body.read(min(_PIECE, most))
        except (OSError, ValueError, ClientDisconnected):
            return
        if not piece:
            return
        most -= len(piece)
        yield piece
