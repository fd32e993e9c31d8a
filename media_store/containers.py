"""What a clip's file is, told from its own boxes before any decoder sees it: MP4 and its kin, WebM and Matroska.

ISO/IEC 14496-12 has the boxes of MP4, which QuickTime and 3GP share; RFC 8794 the elements of EBML.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

HEAD = 12
"""So many bytes of its beginning tell whether a file may be a clip at all."""
EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_DOCTYPE = b"\x42\x82"
MOST_BOXES = 20_000
"""Boxes of a file that are looked at: ten minutes in fragments of a second have 1,200 at its top."""
_TELLING = frozenset({b"udta", b"meta", b"uuid"})
"""Boxes in which a phone writes where it was and what it is. No player needs them."""


class Refusal(enum.StrEnum):
    """Why a file is kept as no clip."""

    NO_CLIP = "no_clip"
    CUT_OFF = "cut_off"
    NO_PICTURE = "no_picture"
    TOO_LONG = "too_long"
    TOO_LARGE = "too_large"


class NotAClip(ValueError):
    """The file is no clip that can be kept."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


class Hidden(NamedTuple):
    """A box that is not shown to the public: where it begins, where its content does, and where it ends."""

    start: int
    content: int
    end: int


@dataclass(frozen=True, slots=True)
class Container:
    """What the boxes of a file say.

    :ivar ending: ``mp4`` or ``webm``: what the file is, whatever its name says.
    :ivar plays: whether every browser plays it: MP4 with H.264, and AAC or no sound.
    :ivar hidden: boxes that tell more than the picture does.
    """

    ending: str
    plays: bool
    hidden: tuple[Hidden, ...]


class _Box(NamedTuple):
    name: bytes
    start: int
    content: int
    end: int


def may_be_clip(head: bytes) -> bool:
    """Whether a file that begins so may be a clip."""
    return head[4:8] == b"ftyp" or head.startswith(EBML)


def container_of(file: BinaryIO, size: int) -> Container:
    """Look at the boxes of a file.

    :param file: can be searched.
    :raises NotAClip: for what is neither MP4 nor WebM, has no track, or ends before its boxes do.
    """
    file.seek(0)
    head = file.read(HEAD)
    if len(head) < HEAD or not may_be_clip(head):
        raise NotAClip(Refusal.NO_CLIP)
    return _matroska(file, size) if head.startswith(EBML) else _mp4(file, size)


def veiled(data: bytes, start: int, hidden: tuple[Hidden, ...]) -> bytes:
    """A piece of a clip, from ``start`` on, without what is hidden: its boxes are said to be free space."""
    out = bytearray(data)

    def write(place: int, text: bytes) -> None:
        first, last = max(place, start), min(place + len(text), start + len(data))
        if first < last:
            out[first - start : last - start] = text[first - place : last - place]

    for box in hidden:
        write(box.start + 4, b"free")
        # No more zeros than the piece has place for.
        first, last = max(box.content, start), min(box.end, start + len(data))
        write(first, bytes(max(0, last - first)))
    return bytes(out)


def _mp4(file: BinaryIO, size: int) -> Container:
    hidden: list[Hidden] = []
    tracks: list[tuple[bytes, bytes]] = []
    names = set()
    for box in _boxes(file, 0, size):
        names.add(box.name)
        if box.name == b"moov":
            for inner in _boxes(file, box.content, box.end):
                if inner.name == b"trak":
                    hidden += _hidden(_boxes(file, inner.content, inner.end))
                    tracks.append(_track(file, inner))
                hidden += _hidden(iter([inner]))
        hidden += _hidden(iter([box]))
    if b"moov" not in names:
        # A recording that was broken off has its samples and no table of them; a picture (HEIC) has neither.
        raise NotAClip(Refusal.CUT_OFF if b"mdat" in names and b"meta" not in names else Refusal.NO_CLIP)
    pictures = [entry for handler, entry in tracks if handler == b"vide"]
    sounds = [entry for handler, entry in tracks if handler == b"soun"]
    if not pictures:
        raise NotAClip(Refusal.NO_PICTURE)
    plays = {*pictures} <= {b"avc1", b"avc3"} and {*sounds} <= {b"mp4a"}
    return Container("mp4", plays, tuple(sorted(hidden)))


def _hidden(boxes: Iterator[_Box]) -> list[Hidden]:
    return [Hidden(box.start, box.content, box.end) for box in boxes if box.name in _TELLING]


def _track(file: BinaryIO, track: _Box) -> tuple[bytes, bytes]:
    """What a track is (``vide``, ``soun``, or else) and the name of its first sample entry, which is its codec."""
    handler = entry = b""
    media = _within(file, track, b"mdia")
    if media is not None:
        if (said := _within(file, media, b"hdlr")) is not None:
            handler = _read(file, said.content + 8, 4)
        table: _Box | None = media
        for name in (b"minf", b"stbl", b"stsd"):
            table = _within(file, table, name) if table is not None else None
        if table is not None:
            entry = _read(file, table.content + 12, 4)
    return handler, entry


def _within(file: BinaryIO, box: _Box, name: bytes) -> _Box | None:
    return next((inner for inner in _boxes(file, box.content, box.end) if inner.name == name), None)


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[_Box]:
    """The boxes that lie one after the other.

    :raises NotAClip: where one of them ends after what it lies in does.
    """
    for _number in range(MOST_BOXES):
        if start >= end:
            return
        head = _read(file, start, 16)
        if len(head) < 8:
            # A few bytes too many at the end do no harm: some phones leave a zero there.
            return
        length, name = struct.unpack(">I4s", head[:8])
        content = start + 8
        if length == 1 and len(head) == 16:
            (length,), content = struct.unpack(">Q", head[8:]), start + 16
        elif length == 0:
            if not any(head[4:8]):
                return
            length = end - start
        if length < content - start or start + length > end:
            raise NotAClip(Refusal.CUT_OFF)
        yield _Box(name, start, content, start + length)
        start += length


def _read(file: BinaryIO, place: int, length: int) -> bytes:
    file.seek(place)
    return file.read(length)


def _matroska(file: BinaryIO, size: int) -> Container:
    """WebM is a Matroska with few codecs; neither plays everywhere."""
    length, content = _element_size(_read(file, 4, 8), 4)
    header = _read(file, content, min(length or 0, 1024))
    place = header.find(_DOCTYPE)
    if place < 0 or not header[place + 3 :].startswith((b"webm", b"matroska")):
        raise NotAClip(Refusal.NO_CLIP)
    segment = content + (length or 0)
    head = _read(file, segment, 12)
    if not head.startswith(_SEGMENT):
        raise NotAClip(Refusal.CUT_OFF)
    length, content = _element_size(head[4:], segment + 4)
    if length is not None and content + length > size:
        raise NotAClip(Refusal.CUT_OFF)
    return Container("webm", False, ())


def _element_size(data: bytes, place: int) -> tuple[int | None, int]:
    """The length of an element, None where it isn't said, and where its content begins (RFC 8794, 4)."""
    if not data or not data[0]:
        raise NotAClip(Refusal.NO_CLIP)
    octets = 9 - data[0].bit_length()
    if len(data) < octets:
        raise NotAClip(Refusal.CUT_OFF)
    most = (1 << (7 * octets)) - 1
    value = int.from_bytes(data[:octets], "big") & most
    return (None if value == most else value), place + octets
