"""Clips as they come in: told from their boxes, opened apart, and what is shown of them."""

from __future__ import annotations

import io
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from media_store.clips import POSTER_BYTES, ClipSeen, look_at_clip, seen_in_clip
from media_store.confined import TookTooMuch
from media_store.containers import MOST_HIDDEN, Container, NotAClip, Refusal, container_of, may_be_clip, veiled
from tests.films import FRAGMENT, PLACE, PLACES_THAT_TELL, drawn, h264, telling, with_box


def _container(data: bytes) -> Container:
    return container_of(io.BytesIO(data), len(data))


def _refusal(data: bytes) -> Refusal:
    with pytest.raises(NotAClip) as raised:
        _container(data)
    return raised.value.refusal


def _box(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


FTYP = _box(b"ftyp", b"isom\x00\x00\x02\x00isom")


def _picture(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def _seen(data: bytes, path: Path) -> ClipSeen:
    path.write_bytes(data)
    return seen_in_clip(str(path))


@pytest.mark.parametrize("moov_first", [True, False])
def test_what_phones_film_plays(moov_first: bool) -> None:
    data = h264(moov_first=moov_first)
    assert may_be_clip(data[:12])
    assert (_container(data).ending, _container(data).plays) == ("mp4", True)


@pytest.mark.parametrize(("codec", "ending"), [("mp4v", "mp4"), ("VP80", "webm")])
def test_what_not_every_browser_plays_is_a_clip_all_the_same(codec: str, ending: str, tmp_path: Path) -> None:
    container = _container(drawn(tmp_path / f"x.{ending}", codec))
    assert (container.ending, container.plays) == (ending, False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        bytes(100_000),
        b"ffconcat version 1.0\nfile 'other.mp4'\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1/x.ts\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"\x7fELF\x02\x01\x01" + bytes(500),
        b"MZ\x90\x00" + bytes(500),
        b"%PDF-1.7\n" + bytes(500),
        b"\xff\xd8\xff\xe0" + bytes(500),
        b"RIFF\x00\x10\x00\x00AVI LIST" + bytes(500),
        _box(b"ftyp", b"heic\x00\x00\x00\x00mif1heic") + _box(b"meta", bytes(40)) + _box(b"mdat", bytes(99)),
        b"\x1a\x45\xdf\xa3" + bytes(500),
        b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88nonsense" + bytes(50),
    ],
    ids=lambda data: repr(data[:16]),
)
def test_what_is_no_clip_is_told_without_a_decoder(data: bytes) -> None:
    assert _refusal(data) is Refusal.NO_CLIP


def test_what_has_sound_alone_has_no_picture() -> None:
    handler = _box(b"hdlr", bytes(8) + b"soun" + bytes(13))
    assert _refusal(FTYP + _box(b"moov", _box(b"trak", _box(b"mdia", handler)))) is Refusal.NO_PICTURE
    assert _refusal(FTYP + _box(b"moov")) is Refusal.NO_PICTURE


def test_a_recording_that_was_broken_off_is_cut_off() -> None:
    assert _refusal(FTYP + _box(b"mdat", bytes(5000))) is Refusal.CUT_OFF


@pytest.mark.parametrize("moov_first", [True, False])
def test_a_clip_is_refused_wherever_it_is_cut_off(moov_first: bool) -> None:
    data = h264(moov_first=moov_first)
    for length in [*range(0, 120), *range(120, len(data) - 8, 997), len(data) - 1]:
        assert _refusal(data[:length]) in {Refusal.NO_CLIP, Refusal.CUT_OFF}


def test_a_webm_is_refused_where_its_end_is_missing(tmp_path: Path) -> None:
    data = drawn(tmp_path / "x.webm", "VP80")
    assert _refusal(data[:-1]) is Refusal.CUT_OFF
    assert _refusal(data[:45]) is Refusal.CUT_OFF


def test_boxes_without_end_or_within_one_another_end_soon() -> None:
    assert _refusal(FTYP + _box(b"free") * 30_000) is Refusal.NO_CLIP
    deep = b""
    for _number in range(2000):
        deep = _box(b"moov", deep)
    assert _refusal(FTYP + deep) is Refusal.NO_PICTURE


def test_where_a_phone_was_is_not_in_what_the_public_gets() -> None:
    data = h264()
    hidden = _container(data).hidden
    assert PLACE in data
    whole = veiled(data, 0, hidden)
    assert len(whole) == len(data)
    assert PLACE not in whole
    assert b"udta" not in whole
    assert _container(whole).plays
    for size in (1, 7, 100):
        pieces = [veiled(data[at : at + size], at, hidden) for at in range(0, len(data), size)]
        assert b"".join(pieces) == whole


@pytest.mark.parametrize("where", PLACES_THAT_TELL)
def test_a_place_is_hidden_wherever_it_stands(where: str, tmp_path: Path) -> None:
    data = with_box(h264(moov_first=False), *PLACES_THAT_TELL[where])
    assert data.count(PLACE) == 2
    container = _container(data)
    assert container.plays
    whole = veiled(data, 0, container.hidden)
    assert len(whole) == len(data)
    assert PLACE not in whole
    assert _container(whole).plays
    # It is the same film.
    assert _seen(whole, tmp_path / "shown") == _seen(h264(), tmp_path / "made")
    for size in (1, 7, 100):
        pieces = [veiled(data[at : at + size], at, container.hidden) for at in range(0, len(data), size)]
        assert b"".join(pieces) == whole


def test_a_film_with_more_to_hide_than_can_be_is_not_shown() -> None:
    film = h264(moov_first=False)
    more = MOST_HIDDEN - len(_container(film).hidden)
    assert _container(film + telling("udta") * more).plays
    for name in ("udta", "free"):
        container = _container(film + telling(name) * (more + 1))
        assert not container.plays
        assert len(container.hidden) == MOST_HIDDEN


@pytest.mark.parametrize("entry", [b"camm", b"gpmd", b"text", b"mebx"])
def test_a_film_with_a_track_of_places_is_not_shown(entry: bytes) -> None:
    def film(*words: bytes) -> bytes:
        table = _box(b"stsd", bytes(4) + struct.pack(">I", 1) + _box(entry, bytes(8) + b"".join(words)))
        media = _box(b"mdia", _box(b"hdlr", bytes(8) + b"meta") + _box(b"minf", _box(b"stbl", table)))
        return with_box(h264(moov_first=False), "moov", _box(b"trak", media))

    assert not _container(film(b"com.apple.quicktime.location.ISO6709")).plays
    # How the phone was held tells no place.
    assert _container(film(b"orientation")).plays is (entry == b"mebx")


def _many_in_tracks() -> bytes:
    track = _box(b"trak", _box(b"udta") * 2000)
    return FTYP + _box(b"moov", track * 400)


def _many_in_fragments() -> bytes:
    return h264(moov_first=False) + with_box(FRAGMENT, "moof/traf", _box(b"udta") * 500) * 1100


def _webm_of_nothing() -> bytes:
    return b"\x1a\x45\xdf\xa3\x01" + (6 << 20).to_bytes(7, "big") + b"\xec\x80" * (3 << 20) + bytes(20)


@pytest.mark.parametrize("made", [_many_in_tracks, _many_in_fragments, _webm_of_nothing])
def test_many_boxes_take_no_memory(made: Callable[[], bytes], tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(made())
    size = (tmp_path / "a").stat().st_size
    assert size > 4 << 20
    with (tmp_path / "a").open("rb") as file:
        tracemalloc.start()
        try:
            with pytest.raises(NotAClip) as raised:
                container_of(file, size)
            _now, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # So much of it was looked at, and no more.
        assert file.tell() < size // 4
    assert raised.value.refusal is Refusal.NO_CLIP
    assert most < 1 << 20


def test_ten_minutes_in_fragments_of_a_second_play() -> None:
    parts = _box(b"tfhd", bytes(8)) + _box(b"tfdt", bytes(8)) + _box(b"trun", bytes(8))
    fragment = _box(b"moof", _box(b"mfhd", bytes(8)) + _box(b"traf", parts) * 2) + _box(b"mdat", bytes(8))
    assert _container(h264(moov_first=False) + fragment * 600).plays


def test_a_clip_is_seen_with_its_size_length_and_pictures(tmp_path: Path) -> None:
    seen = _seen(h264(2.0), tmp_path / "a")
    assert (seen.width, seen.height, seen.milliseconds, seen.codec) == (64, 48, 2000, "h264")
    assert _picture(seen.poster).shape == (48, 64, 3)
    # Ten frames in three rows of four.
    assert _picture(seen.sheet).shape == (3 * 48, 4 * 64, 3)


def test_the_sheet_goes_through_the_clip_in_its_order(tmp_path: Path) -> None:
    drawn(tmp_path / "a.mp4", "mp4v", seconds=6)
    seen = seen_in_clip(str(tmp_path / "a.mp4"))
    sheet = _picture(seen.sheet)
    height, width = sheet.shape[0] // 3, sheet.shape[1] // 4
    lefts = []
    for number in range(12):
        cell = sheet[number // 4 * height :, number % 4 * width :][:height, :width]
        bright = np.argwhere(cell.mean(axis=2) > 180)
        lefts.append(int(bright[:, 1].min()))
    assert lefts == sorted(lefts)
    assert len(set(lefts)) == 12


def test_a_webm_whose_browser_said_no_length_is_seen(tmp_path: Path) -> None:
    data = drawn(tmp_path / "a.webm", "VP80", seconds=3)
    # The element of the length, made one that says nothing (Void).
    place = data.index(b"\x44\x89\x88")
    seen = _seen(data[:place] + b"\xec\x89" + data[place + 2 :], tmp_path / "b")
    assert 2500 < seen.milliseconds <= 3000
    assert seen.poster


def test_a_poster_is_small_however_much_is_in_it(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (640, 480))
    generator = np.random.default_rng(1)
    for _number in range(5):
        writer.write(generator.integers(0, 255, (480, 640, 3), np.uint8))
    writer.release()
    assert len(seen_in_clip(str(tmp_path / "a.mp4")).poster) <= POSTER_BYTES


def test_a_clip_of_more_than_ten_minutes_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(NotAClip) as raised:
        _seen(h264(610, columns=1, rows=1, rate=1), tmp_path / "a")
    assert raised.value.refusal is Refusal.TOO_LONG
    assert _seen(h264(600, columns=1, rows=1, rate=1), tmp_path / "b").milliseconds == 600_000


def test_frames_that_claim_to_be_huge_take_nobody_along(tmp_path: Path) -> None:
    with pytest.raises((NotAClip, TookTooMuch)):
        _seen(h264(1, claimed=(600, 600)), tmp_path / "a")


def test_a_clip_without_one_whole_frame_is_refused(tmp_path: Path) -> None:
    data = h264(1)
    place = data.index(b"mdat") + 4
    with pytest.raises(NotAClip) as raised:
        _seen(data[:place] + bytes(len(data) - place), tmp_path / "a")
    assert raised.value.refusal is Refusal.NO_PICTURE


def test_the_decoder_reads_no_file_beside_a_clip(tmp_path: Path) -> None:
    drawn(tmp_path / "other.mp4", "mp4v")
    for text in (
        "ffconcat version 1.0\nfile 'other.mp4'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.mp4\n#EXT-X-ENDLIST\n",
    ):
        (tmp_path / "x.mp4").write_text(text)
        with pytest.raises(NotAClip):
            look_at_clip(str(tmp_path / "x.mp4"))
