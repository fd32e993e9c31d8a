"""One look through a camera. It knows no database."""

from __future__ import annotations

import re
import tempfile
import time
import urllib.request
from base64 import b64encode
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from media_store.confined import TookTooMuch
from media_store.frames import NoPicture
from media_store.glimpses import (
    PATIENCE_MS,
    Glimpse,
    glimpse_of_photo,
    glimpse_of_piece,
    glimpse_of_rtsp,
)
from trace_app.cameras.addresses import may_reach
from trace_app.cameras.models import CameraFailure, CameraSource
from trace_app.cameras.relay import relayed
from trace_app.messages.outgoing import Fetched, NoAnswer, NotAllowed, checked_address, fetch

PHOTO_BYTES = 8 * 1024 * 1024
LIST_BYTES = 256 * 1024
PIECE_BYTES = 24 * 1024 * 1024
RTSP_PORT = 554
LOOK_S = 20.0
"""Seconds that all requests of one look may take."""
_RESOLUTION = re.compile(r"RESOLUTION=\d+x(\d+)")
_HEIGHT = 1080
_MAP = re.compile(r'#EXT-X-MAP:.*URI="([^"]+)"')
_LOCKED = re.compile(r"#EXT-X-KEY:.*METHOD=(?!NONE)")


class NothingSeen(Exception):
    """:ivar failure: why no picture came."""

    def __init__(self, failure: CameraFailure) -> None:
        super().__init__(failure.value)
        self.failure = failure


class _Look:
    """One look, which has to be over by a moment."""

    def __init__(self) -> None:
        self._end = time.monotonic() + LOOK_S

    def seconds_left(self) -> float:
        """:raises NoAnswer: where there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise NoAnswer("it took too long")
        return left


def look(source: CameraSource, address: str) -> Glimpse:
    """A picture of a camera, as it is now.

    :raises NothingSeen: with a reason that names no address.
    :raises NoTurn: where too many are being looked through.
    """
    ways = {CameraSource.SNAPSHOT: _snapshot, CameraSource.HLS: _hls, CameraSource.RTSP: _rtsp}
    try:
        return ways[source](_Look(), address)
    except NotAllowed:
        failure = CameraFailure.NOT_ALLOWED
    except (NoAnswer, OSError):
        failure = CameraFailure.NO_ANSWER
    except (NoPicture, TookTooMuch, ValueError):
        failure = CameraFailure.NO_PICTURE
    # Without what raised it, which may name the address and its password.
    raise NothingSeen(failure) from None


def _snapshot(one: _Look, address: str) -> Glimpse:
    return glimpse_of_photo(_asked(one, address, PHOTO_BYTES).body)


def _asked(one: _Look, address: str, most_bytes: int) -> Fetched:
    """What is at an address, with its user and password if it has them (RFC 7617, 7616).

    :raises NothingSeen, NotAllowed, NoAnswer:
    """
    parts = urlsplit(address)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    answer = fetch(bare, may_reach=may_reach, most_bytes=most_bytes, seconds=one.seconds_left())
    if answer.status == 401 and user:
        headers = {"Authorization": _credentials(bare, answer.headers.get("WWW-Authenticate", ""), user, password)}
        answer = fetch(bare, may_reach=may_reach, most_bytes=most_bytes, headers=headers, seconds=one.seconds_left())
    if answer.status in {401, 403}:
        raise NothingSeen(CameraFailure.REFUSED)
    if 300 <= answer.status < 400:
        raise NothingSeen(CameraFailure.REDIRECTED)
    if answer.status != 200:
        raise NothingSeen(CameraFailure.NO_PICTURE)
    return answer


def _credentials(address: str, challenge: str, user: str, password: str) -> str:
    """What a challenge is answered with: a digest where one is asked for, as most cameras do."""
    scheme, _space, rest = challenge.partition(" ")
    if scheme.lower() != "digest":
        return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")
    known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    known.add_password(None, address, user, password)
    handler = urllib.request.AbstractDigestAuthHandler(known)
    try:
        asked = urllib.request.parse_keqv_list(urllib.request.parse_http_list(rest))
        answer = handler.get_authorization(urllib.request.Request(address), asked)  # noqa: S310 - nothing is opened
    except (ValueError, KeyError, IndexError):
        answer = None
    if answer is None:
        raise NothingSeen(CameraFailure.REFUSED)
    return f"Digest {answer}"


def _hls(one: _Look, address: str) -> Glimpse:
    """The latest piece of a stream (RFC 8216): each address is asked for here, where it is checked."""
    place, lines = address, _lines(one, address)
    if variants := [n for n, line in enumerate(lines) if line.startswith("#EXT-X-STREAM-INF")]:
        fitting = [n for n in variants if (found := _RESOLUTION.search(lines[n])) and int(found[1]) <= _HEIGHT]
        chosen = next((line for line in lines[(fitting or variants)[0] + 1 :] if not line.startswith("#")), None)
        if chosen is None:
            raise NoPicture
        place = urljoin(address, chosen)
        lines = _lines(one, place)
    pieces = [line for line in lines if not line.startswith("#")]
    if not pieces or any(_LOCKED.match(line) for line in lines):
        raise NoPicture
    head = next((found[1] for line in lines if (found := _MAP.match(line))), None)
    data = _asked(one, urljoin(place, head), PIECE_BYTES).body if head else b""
    data += _asked(one, urljoin(place, pieces[-1]), PIECE_BYTES).body
    with tempfile.TemporaryDirectory(prefix="camera-") as own:
        path = Path(own) / "piece"
        path.write_bytes(data)
        return glimpse_of_piece(str(path))


def _lines(one: _Look, address: str) -> list[str]:
    text = _asked(one, address, LIST_BYTES).body.decode("utf-8", "replace")
    if not text.lstrip("\ufeff").startswith("#EXTM3U"):
        raise NoPicture
    return [line.strip() for line in text.splitlines()[1:] if line.strip()]


def _rtsp(one: _Look, address: str) -> Glimpse:
    parts = urlsplit(address)
    host = checked_address(parts.hostname or "", parts.port or RTSP_PORT, may_reach)
    with relayed(host, parts.port or RTSP_PORT, PATIENCE_MS / 1000) as relay:
        named, at, _host = parts.netloc.rpartition("@")
        near = urlunsplit(parts._replace(netloc=f"{named}{at}127.0.0.1:{relay.port}"))
        try:
            return glimpse_of_rtsp(near)
        except (NoPicture, TookTooMuch) as error:
            if relay.redirected:
                raise NothingSeen(CameraFailure.REDIRECTED) from error
            if relay.refused:
                raise NothingSeen(CameraFailure.REFUSED) from error
            if not relay.answered:
                raise NothingSeen(CameraFailure.NO_ANSWER) from error
            raise
