"""Clips as browsers ask for them: whole, or a range at a time (RFC 9110, 14)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from flask import Response, request

from media_store import MediaNotFound
from media_store.containers import Hidden, veiled
from trace_app.accounts.access import NotFound
from trace_app.media.models import Clip
from trace_app.media.service import CLIP_TYPES, media_store

_PIECE = 256 * 1024
_RANGE = re.compile(r"bytes=\s*(\d{0,15})-(\d{0,15})\s*", re.ASCII)


class _NoSuchRange(Exception):
    """What was asked for lies beyond the end, or is more than one range."""


def clip_answer(clip: Clip, kept: str, *, is_original: bool = False) -> Response:
    """The content of a clip.

    :param is_original: as it was received; what goes to the public is without what its file tells beside the picture.
    :param clip: one that is ready.
    :param kept: who may keep the answer, and how long (Cache-Control).
    :raises NotFound: where the store has lost it.
    """
    assert clip.ending is not None  # noqa: S101
    hidden = () if is_original else clip.hidden_boxes
    tag = f"{clip.name}-{'original' if is_original else 'shown'}"
    headers = {"Accept-Ranges": "bytes", "Cache-Control": kept}
    if request.if_none_match.contains(tag):
        response = Response(status=304, headers=headers)
        response.set_etag(tag)
        return response
    try:
        asked = _asked_range(clip.bytes, tag)
    except _NoSuchRange:
        return Response(status=416, headers={"Content-Range": f"bytes */{clip.bytes}", "Accept-Ranges": "bytes"})
    start, length = asked or (0, clip.bytes)
    try:
        file = media_store().open_range(clip.key, start, length)
    except MediaNotFound as error:
        raise NotFound from error
    response = Response(
        _pieces(file, start, hidden),
        status=206 if asked else 200,
        mimetype=CLIP_TYPES[clip.ending],
        headers=headers,
        direct_passthrough=True,
    )
    response.call_on_close(file.close)
    response.content_length = length
    response.set_etag(tag)
    if asked:
        response.headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{clip.bytes}"
    return response


def _asked_range(size: int, tag: str) -> tuple[int, int] | None:
    """Where the range begins that was asked for and how long it is; None where all of it is wanted.

    A range with a condition (If-Range) is one as long as the clip is the same, and clips never change.

    :raises _NoSuchRange:
    """
    text = request.headers.get("Range", "")
    condition = request.headers.get("If-Range")
    if not text.startswith("bytes=") or (condition is not None and condition != f'"{tag}"'):
        return None
    if "," in text:
        raise _NoSuchRange
    found = _RANGE.fullmatch(text)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = min(int(found[2]), size)
        if not length:
            raise _NoSuchRange
        return size - length, length
    first, last = int(found[1]), min(int(found[2] or size - 1), size - 1)
    if found[2] and int(found[2]) < first:
        return None
    if first >= size:
        raise _NoSuchRange
    return first, last - first + 1


def _pieces(file: BinaryIO, place: int, hidden: tuple[Hidden, ...]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield veiled(piece, place, hidden) if hidden else piece
        place += len(piece)
