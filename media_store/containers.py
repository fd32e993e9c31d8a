"""What a clip's file is, told from its own boxes before any decoder sees it: MP4 and its kin, WebM and Matroska.

ISO/IEC 14496-12 has the boxes of MP4, which QuickTime and 3GP share; RFC 8794 the elements of EBML.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

HEAD = 12
"""So many bytes of its beginning tell whether a file may be a clip at all."""
EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_DOCTYPE = b"\x42\x82"
MOST_BOXES = 20_000
"""Boxes of a file, at whatever depth; one that has more is no clip. Ten minutes in fragments of a second have 6,600."""
MOST_HIDDEN = 60
"""Places that are hidden of one clip; one that has more is not shown to the public."""


def _names(text: str) -> frozenset[bytes]:
    return frozenset(name.encode("latin-1") for name in text.split())


_KEPT = {
    b"": _names("ftyp styp moov moof mdat sidx mfra"),
    b"moov": _names("mvhd trak mvex"),
    b"trak": _names("tkhd tref edts mdia"),
    b"edts": _names("elst"),
    b"mdia": _names("mdhd hdlr minf"),
    b"minf": _names("vmhd smhd nmhd dinf stbl"),
    b"dinf": _names("dref"),
    b"stbl": _names("stsd stts ctts cslg stsc stsz stz2 stco co64 stss stps sdtp sbgp sgpd"),
    b"mvex": _names("mehd trex"),
    b"moof": _names("mfhd traf"),
    b"traf": _names("tfhd tfdt trun sdtp sbgp sgpd"),
    b"mfra": _names("tfra mfro"),
    b"avc1": _names("avcC colr pasp clap btrt fiel"),
    b"mp4a": _names("esds wave btrt chan"),
    b"wave": _names("frma esds"),
}
"""Boxes that players need, by what they lie in; in all others a phone may write where it was and what it is."""
_SPACE = _names("free skip wide \0\0\0\0")
"""Free space, and what ends a list of boxes."""
_FIXED = {b"avc1": 78, b"mp4a": 28}
"""Bytes of a sample entry before the boxes in it."""
_LONG = 65_536
"""Bytes of a sample entry that is longer than any phone writes it."""
_SOUND_MORE = {1: 16, 2: 36}
"""Bytes that QuickTime's further versions of a sound's entry add to it."""
_MAKER = slice(42, 74)
"""Where the entry of a picture names the program that made it."""
_PLAYED = {b"vide": _names("avc1 avc3"), b"soun": _names("mp4a")}
"""What every browser plays, by the sort of track."""
_BESIDE = _names("tmcd mebx mett")
"""What phones write beside picture and sound, time and how the phone was held. Other tracks may tell where it was."""


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
    """A box that is not shown to the public: where it begins, where its content does, and where it ends.

    Bytes that are no box of their own begin where their content does.
    """

    start: int
    content: int
    end: int


@dataclass(frozen=True, slots=True)
class Container:
    """What the boxes of a file say.

    :ivar ending: ``mp4`` or ``webm``: what the file is, whatever its name says.
    :ivar plays: whether every browser plays it (MP4 with H.264, and AAC or no sound), and all that tells more than the
        picture does can be hidden.
    :ivar hidden: what is not needed to play it.
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
        if box.start < box.content:
            write(box.start + 4, b"free")
        # No more zeros than the piece has place for.
        first, last = max(box.content, start), min(box.end, start + len(data))
        write(first, bytes(max(0, last - first)))
    return bytes(out)


def _mp4(file: BinaryIO, size: int) -> Container:
    boxes = _Mp4Boxes(file)
    boxes.go_through(b"", 0, size)
    if b"moov" not in boxes.names:
        # A recording that was broken off has its samples and no table of them; a picture (HEIC) has neither.
        is_broken_off = b"mdat" in boxes.names and b"meta" not in boxes.names
        raise NotAClip(Refusal.CUT_OFF if is_broken_off else Refusal.NO_CLIP)
    if not any(track.handler == b"vide" for track in boxes.tracks):
        raise NotAClip(Refusal.NO_PICTURE)
    plays = boxes.can_be_shown and all(track.plays for track in boxes.tracks)
    return Container("mp4", plays, tuple(sorted(boxes.hidden)))


@dataclass(slots=True)
class _Track:
    """A track's sort (``vide``, ``soun``, or else) and the names of its sample entries, which are its codecs."""

    handler: bytes = b""
    entries: set[bytes] = field(default_factory=set)

    @property
    def plays(self) -> bool:
        return bool(self.entries) and self.entries <= _PLAYED.get(self.handler, _BESIDE)


class _Mp4Boxes:
    """The boxes of one MP4: what its tracks are, and what of it is hidden. It takes little memory, whatever the file.

    :ivar names: of the boxes that lie in no other.
    :ivar can_be_shown: False where not all that should be is in ``hidden``.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.names: set[bytes] = set()
        self.tracks: list[_Track] = []
        self.hidden: list[Hidden] = []
        self.can_be_shown = True
        self._file = file
        self._seen = 0

    def go_through(self, parent: bytes, start: int, end: int) -> None:
        """Go through the boxes that lie one after the other in a box, and through those in them.

        :param parent: what they lie in; empty at the top.
        :raises NotAClip: where one of them ends after what it lies in does, or where there are too many.
        """
        for box in self._each(start, end):
            if not parent:
                self.names.add(box.name)
            if box.name not in _KEPT[parent]:
                self._hide_box(box)
            elif box.name == b"hdlr":
                self._handler(box)
            elif box.name == b"stsd":
                self._entries(box)
            elif box.name == b"dref":
                self._references(box)
            elif box.name in _KEPT:
                if box.name == b"trak":
                    self.tracks.append(_Track())
                self.go_through(box.name, box.content, box.end)

    def _handler(self, box: _Box) -> None:
        """What a track is; a name of it follows that nobody sees."""
        self.tracks[-1].handler = _read(self._file, box.content + 8, 4)
        self._hide(box.content + 12, box.end)

    def _entries(self, table: _Box) -> None:
        """What a track was made with."""
        for entry in self._each(table.content + 8, table.end):
            self.tracks[-1].entries.add(entry.name)
            kind = b"avc1" if entry.name == b"avc3" else entry.name
            if kind in _FIXED:
                self._entry(kind, entry)
            elif entry.end - entry.content > _LONG or b"location" in self._content(entry):
                self.can_be_shown = False

    def _entry(self, kind: bytes, entry: _Box) -> None:
        start = entry.content + _FIXED[kind]
        if kind == b"avc1":
            self._hide(entry.content + _MAKER.start, entry.content + _MAKER.stop)
        else:
            start += _SOUND_MORE.get(int.from_bytes(_read(self._file, entry.content + 8, 2), "big"), 0)
        try:
            self.go_through(kind, min(start, entry.end), entry.end)
        except NotAClip as error:
            if error.refusal is not Refusal.CUT_OFF:
                raise
            # Makers have ways of their own to write these, which decoders know.
            self.can_be_shown = False

    def _references(self, table: _Box) -> None:
        """Where the samples lie: in the file itself. A name of another file isn't shown."""
        for entry in self._each(table.content + 8, table.end):
            self._hide(entry.content + 4, entry.end)

    def _content(self, box: _Box) -> bytes:
        return _read(self._file, box.content, box.end - box.content)

    def _hide_box(self, box: _Box) -> None:
        if box.content < box.end or box.name not in _SPACE:
            self._add(Hidden(box.start, box.content, box.end))

    def _hide(self, start: int, end: int) -> None:
        """Hide bytes that are no box."""
        if start < end:
            self._add(Hidden(start, start, end))

    def _add(self, place: Hidden) -> None:
        if len(self.hidden) < MOST_HIDDEN:
            self.hidden.append(place)
        else:
            self.can_be_shown = False

    def _each(self, start: int, end: int) -> Iterator[_Box]:
        while start < end:
            head = _read(self._file, start, min(16, end - start))
            length, name = struct.unpack(">I4s", head[:8]) if len(head) >= 8 else (0, b"")
            if length == 0 and not any(name):
                # Bytes behind the last box do no harm: some phones leave a few zeros there.
                self._hide(start, end)
                return
            self._seen += 1
            if self._seen > MOST_BOXES:
                raise NotAClip(Refusal.NO_CLIP)
            content = start + 8
            if length == 1 and len(head) == 16:
                (length,), content = struct.unpack(">Q", head[8:]), start + 16
            elif length == 0:
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
